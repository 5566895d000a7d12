//! What a node counts, as Prometheus text, and its structured log. Neither holds personal data: no case, no person, no
//! code, no serial number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Upper bounds of the latency histogram, in seconds.
const BOUNDS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// Counters of one node.
#[derive(Debug, Default)]
pub struct Metrics {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(&'static str, u16), u64>,
    outcomes: BTreeMap<&'static str, u64>,
    buckets: [u64; BOUNDS.len()],
    latency_count: u64,
    latency_sum: f64,
    gauges: BTreeMap<&'static str, i64>,
    impaired: BTreeSet<&'static str>,
}

impl Metrics {
    /// Counts a request to a route, its status and how long it took.
    pub fn request(&self, route: &'static str, status: u16, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.requests.entry((route, status)).or_default() += 1;
        let seconds = took.as_secs_f64();
        for (bucket, bound) in counts.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
        counts.latency_count += 1;
        counts.latency_sum += seconds;
    }

    /// Counts how a trace ended.
    pub fn outcome(&self, outcome: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.outcomes.entry(outcome).or_default() += 1;
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &'static str, value: i64) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).gauges.insert(name, value);
    }

    /// Notes whether a part of the node does its work: `log`, `records`, `directory`, `books`, `memory`.
    pub fn works(&self, part: &'static str, works: bool) {
        let impaired = &mut self.counts.lock().unwrap_or_else(PoisonError::into_inner).impaired;
        if works {
            impaired.remove(part)
        } else {
            impaired.insert(part)
        };
    }

    /// The parts that do not.
    pub fn impaired(&self) -> Vec<&'static str> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.impaired.iter().copied().collect()
    }

    /// Everything as Prometheus text, format 0.0.4, for the node's own people: small numbers tell more than the public
    /// statistics do.
    pub fn text(&self, now: Timestamp) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from("# TYPE microstamp_requests_total counter\n");
        for ((route, status), count) in &counts.requests {
            line(
                &mut text,
                format_args!("microstamp_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}"),
            );
        }
        text.push_str("# TYPE microstamp_outcomes_total counter\n");
        for (outcome, count) in &counts.outcomes {
            line(&mut text, format_args!("microstamp_outcomes_total{{outcome=\"{outcome}\"}} {count}"));
        }
        text.push_str("# TYPE microstamp_request_seconds histogram\n");
        for (bucket, bound) in counts.buckets.iter().zip(BOUNDS) {
            line(&mut text, format_args!("microstamp_request_seconds_bucket{{le=\"{bound}\"}} {bucket}"));
        }
        let (count, sum) = (counts.latency_count, counts.latency_sum);
        line(&mut text, format_args!("microstamp_request_seconds_bucket{{le=\"+Inf\"}} {count}"));
        line(&mut text, format_args!("microstamp_request_seconds_sum {sum}"));
        line(&mut text, format_args!("microstamp_request_seconds_count {count}"));
        for (name, value) in &counts.gauges {
            line(&mut text, format_args!("# TYPE microstamp_{name} gauge\nmicrostamp_{name} {value}"));
        }
        let parts = ["books", "directory", "log", "memory", "records"]
            .map(|part| (part, i64::from(counts.impaired.contains(part))));
        text.push_str("# TYPE microstamp_impaired gauge\n");
        for (part, impaired) in parts {
            line(&mut text, format_args!("microstamp_impaired{{part=\"{part}\"}} {impaired}"));
        }
        line(
            &mut text,
            format_args!(
                "# TYPE microstamp_clock_seconds gauge\nmicrostamp_clock_seconds {}",
                now.as_second()
            ),
        );
        text
    }
}

/// Writes the structured log to standard error, one JSON object a line. Called once by the executable.
pub fn start_log() {
    let log = tracing_subscriber::fmt().json().with_writer(std::io::stderr);
    let _ = log.with_max_level(tracing::Level::INFO).try_init();
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("a string takes any text");
}
