//! Addresses from which too many sign-ins failed: they wait, so that whoever guesses cannot lock a whole house out.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};

/// Failures of one address within [`WINDOW`] after which it is not listened to.
const FAILURES: usize = 10;
const WINDOW: SignedDuration = SignedDuration::from_mins(15);
/// Addresses that are remembered; the one that failed longest ago gives way.
const MOST: usize = 10_000;

/// Failures by address.
#[derive(Default)]
pub(super) struct Slowed(HashMap<IpAddr, VecDeque<Timestamp>>);

impl Slowed {
    /// Whether an address must wait.
    pub(super) fn waits(&mut self, from: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(failures) = from.and_then(|from| self.0.get_mut(&party(from))) else { return false };
        failures.retain(|at| now.duration_since(*at).abs() < WINDOW);
        failures.len() >= FAILURES
    }

    /// A sign-in from there failed.
    pub(super) fn failed(&mut self, from: Option<IpAddr>, now: Timestamp) {
        let Some(from) = from.map(party) else { return };
        if !self.0.contains_key(&from) && self.0.len() >= MOST {
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.back().copied());
            let oldest = oldest.map(|(address, _)| *address);
            oldest.and_then(|address| self.0.remove(&address));
        }
        let failures = self.0.entry(from).or_default();
        failures.push_back(now);
        if failures.len() > FAILURES {
            failures.pop_front();
        }
    }
}

/// Whoever has one address of IP version 6 has the 2^64 beside it.
pub(crate) fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_waits_after_ten_failures_and_others_do_not() {
        let start: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let from = |text: &str| Some(text.parse::<IpAddr>().expect("an address"));
        let mut slowed = Slowed::default();
        for minute in 0..10 {
            assert!(!slowed.waits(from("192.0.2.1"), at(minute)), "minute {minute}");
            slowed.failed(from("192.0.2.1"), at(minute));
        }
        assert!(slowed.waits(from("192.0.2.1"), at(10)) && slowed.waits(from("::ffff:192.0.2.1"), at(10)));
        assert!(!slowed.waits(from("192.0.2.2"), at(10)) && !slowed.waits(None, at(10)));
        assert!(!slowed.waits(from("192.0.2.1"), at(16)), "the first is forgotten");
        for _ in 0..10 {
            slowed.failed(from("2001:db8::1"), at(20));
        }
        assert!(
            slowed.waits(from("2001:db8::ffff:2"), at(20)) && !slowed.waits(from("2001:db8:0:1::1"), at(20))
        );
        for at in 0..2 * MOST {
            slowed.failed(Some(std::net::Ipv4Addr::from(at as u32).into()), start);
        }
        assert_eq!(slowed.0.len(), MOST);
    }
}
