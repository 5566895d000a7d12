//! Where the entries of a directory lie, by what they are asked for. Every message asks for one, be it a stranger's, and a directory may
//! hold 50,000 dealers: no message may cost as much as reading them all.

use std::collections::HashMap;

use registry::names::LicenceNumber;

use super::directory::DirectoryContent;
use crate::api::{NodeCard, NodeName};

/// Places in the lists of a directory's content; of several entries of one name, in the order of the list.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    issuers: HashMap<NodeName, usize>,
    agencies: HashMap<NodeName, usize>,
    dealers: HashMap<NodeName, Vec<usize>>,
    licences: HashMap<LicenceNumber, usize>,
    /// Issuers before agencies.
    logs: HashMap<String, Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Issuer(usize),
    Agency(usize),
}

impl Lookup {
    pub(super) fn new(content: &DirectoryContent) -> Self {
        let mut lookup = Self::default();
        for (at, card) in content.issuers.iter().enumerate() {
            lookup.issuers.entry(card.node.name.clone()).or_insert(at);
            lookup.logs.entry(origin(&card.node)).or_insert(Place::Issuer(at));
        }
        for (at, card) in content.agencies.iter().enumerate() {
            lookup.agencies.entry(card.node.name.clone()).or_insert(at);
            lookup.logs.entry(origin(&card.node)).or_insert(Place::Agency(at));
        }
        for (at, card) in content.dealers.iter().enumerate() {
            lookup.dealers.entry(card.node.name.clone()).or_default().push(at);
            lookup.licences.entry(card.licence.clone()).or_insert(at);
        }
        lookup
    }

    pub(super) fn issuer(&self, name: &NodeName) -> Option<usize> {
        self.issuers.get(name).copied()
    }

    /// An agency by the name in the id of its key.
    pub(super) fn agency(&self, key_id: &str) -> Option<usize> {
        self.agencies.get(&name_in(key_id)?).copied()
    }

    /// The same of dealers.
    pub(super) fn dealers(&self, key_id: &str) -> &[usize] {
        name_in(key_id).and_then(|name| self.dealers.get(&name)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn licence(&self, licence: &LicenceNumber) -> Option<usize> {
        self.licences.get(licence).copied()
    }

    pub(super) fn log<'c>(&self, content: &'c DirectoryContent, origin: &str) -> Option<&'c NodeCard> {
        self.logs.get(origin).map(|place| place.card(content))
    }

    /// An issuer or an agency.
    pub(super) fn node<'c>(&self, content: &'c DirectoryContent, name: &NodeName) -> Option<&'c NodeCard> {
        let issuer = self.issuers.get(name).map(|at| Place::Issuer(*at));
        let place = issuer.or_else(|| self.agencies.get(name).map(|at| Place::Agency(*at)));
        place.map(|place| place.card(content))
    }
}

impl Place {
    fn card(self, content: &DirectoryContent) -> &NodeCard {
        match self {
            Self::Issuer(at) => &content.issuers[at].node,
            Self::Agency(at) => &content.agencies[at].node,
        }
    }
}

/// A log's name, with which its key begins.
fn origin(node: &NodeCard) -> String {
    node.log.split('+').next().unwrap_or_default().to_owned()
}

fn name_in(key_id: &str) -> Option<NodeName> {
    key_id.split('#').next()?.parse().ok()
}
