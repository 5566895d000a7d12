//! Sustained load on a whole federation, and the figures of the README.
//!
//! ```text
//! cargo run -p registry --example fill_books -- DIR/issuer 5000000   # books with that many pistols and six events each
//! cargo run -p server --example load -- run DIR 200 30               # 200 traces a second for 30 seconds
//! cargo run -p server --example load -- log DIR 500000               # entries a second into a node's log
//! cargo run -p server --example load -- start DIR 1000000            # start and memory of a node with so many answers
//! ```
//!
//! `run` starts the issuer's node, the agency's and three witnesses as processes of their own and asks the agency's node over
//! loopback, as a local program does: the agency's node signs and logs the question, the issuer's verifies it, asks the books,
//! logs question and answer, signs and seals; the agency's checks, opens and logs the answer; the witnesses cosign both logs
//! all the while. Questions leave on a fixed timetable whether or not earlier ones were answered, and each is timed from its
//! place in the timetable. At the end a court bundle of the last answer is verified and both logs are compared with their
//! records. Then look-ups of codes are compared with bare reads of the primary key.

mod ledger;
mod look_ups;
mod nodes;

use std::io::{Write as _, stdout};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use server::federation::FishingRules;
use server::{ServeOptions, Server};

use self::nodes::Federation;

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        ["run", dir, rate, seconds] => runtime.block_on(run(Path::new(dir), rate.parse()?, seconds.parse()?)),
        ["log", dir, entries] => runtime.block_on(ledger::rate(Path::new(dir), entries.parse()?)),
        ["start", dir, answers] => runtime.block_on(ledger::start(Path::new(dir), answers.parse()?)),
        ["serve", dir, address] => runtime.block_on(serve(Path::new(dir), address)),
        _ => Err("expected: run DIR RATE SECONDS | log DIR ENTRIES | start DIR ANSWERS".into()),
    }
}

/// One node; what the other commands start.
async fn serve(dir: &Path, address: &str) -> Done<()> {
    server::start_log();
    let options = ServeOptions { fishing: FishingRules::NONE, ..ServeOptions::default() };
    let server = Server::start(dir, TcpListener::bind(address)?, options).await?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

async fn run(dir: &Path, rate: u32, seconds: u32) -> Done<()> {
    let federation = Arc::new(Federation::start(dir).await?);
    for at in 0..50 {
        federation.ask(at).await?;
    }
    let before = federation.processor();
    let begun = tokio::time::Instant::now();
    let step = Duration::from_secs(1) / rate;
    let mut running = Vec::new();
    for at in 0..rate * seconds {
        let due = begun + step * at;
        tokio::time::sleep_until(due).await;
        let federation = Arc::clone(&federation);
        running.push(tokio::spawn(
            async move { federation.ask(at as usize).await.map(|id| (due.elapsed(), id)) },
        ));
    }
    let (mut times, mut failed, mut last) = (Vec::new(), 0, None);
    for one in running {
        match one.await? {
            Ok((time, id)) => {
                times.push(time);
                last = Some(id);
            }
            Err(error) => {
                failed += 1;
                writeln!(stdout(), "failed: {error}")?;
            }
        }
    }
    let wall = begun.elapsed();
    times.sort();
    let place = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last());
    let [p50, p90, p99, p999] =
        [0.5, 0.9, 0.99, 0.999].map(|share| place(share).copied().unwrap_or_default());
    writeln!(
        stdout(),
        "{} answers, {failed} failed, {:.1} a second; p50 {p50:?}, p90 {p90:?}, p99 {p99:?}, p99.9 {p999:?}, longest {:?}",
        times.len(),
        times.len() as f64 / wall.as_secs_f64(),
        times.last().copied().unwrap_or_default(),
    )?;
    for ((name, before), (_, after)) in before.iter().zip(federation.processor()) {
        let each = (after - before) as f64 * 10.0 / times.len().max(1) as f64;
        writeln!(stdout(), "{name}: {each:.2} ms of a processor an answer")?;
    }
    let federation = Arc::into_inner(federation).ok_or("a question is still under way")?;
    let codes = federation.end(last.ok_or("nothing was answered")?).await?;
    look_ups::measure(&dir.join("issuer"), &codes).await
}

/// How long something took, in seconds.
fn since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}
