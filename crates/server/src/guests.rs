//! Who is at the door: so many connections from one address and no more, so that nobody takes all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::party;

/// Connections by address.
#[derive(Debug)]
pub(crate) struct Guests {
    most: usize,
    held: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place among those of its address; dropped, it is free.
#[derive(Debug)]
pub(crate) struct Place {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// A place for one more from there, if there is one.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = party(address);
        let mut all = self.held();
        let held = all.entry(address).or_default();
        if *held >= self.most {
            return None;
        }
        *held += 1;
        Some(Place { guests: Arc::clone(self), address })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.guests.held();
        match all.get_mut(&self.address) {
            Some(held) if *held > 1 => *held -= 1,
            _ => drop(all.remove(&self.address)),
        }
    }
}
