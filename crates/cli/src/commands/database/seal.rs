//! What binds a record of the feature file to its row in the catalogue.
//!
//! Features say nothing of whose they are, and a row nothing of how its scan looks. A *seal*, a SHA-256 over both and over the
//! digest of the prepared scan, stands in both places: records that were exchanged, in either file, no longer fit, and a lead is
//! never shown under the name of another case. It tells of exchanges and of damage; whoever can write both files can make new ones.

use comparison::search::{Origin, SEAL_BYTES, Store};
use sha2::{Digest as _, Sha256};

use super::catalogue::{Particulars, Row, Scan};
use super::characteristics::Characteristics;

/// The seal of a scan with these features.
pub(crate) fn seal(scan: &Scan, content: [&[u8]; 2], prepared_sha256: Option<&str>) -> [u8; SEAL_BYTES] {
    let Scan { name, path, sha256, origin, particulars } = scan;
    let Particulars { exhibit, calibre, class, date, characteristics } = particulars;
    let Characteristics { firing_pin, breech_face, aperture, extractor, ejector } = characteristics;
    let told =
        [path, sha256, exhibit, calibre, class, date, firing_pin, breech_face, aperture, extractor, ejector];
    let mut digest = Sha256::new_with_prefix(b"microstamp scan 1\0");
    let mut put = |field: Option<&[u8]>| {
        // The length in front keeps neighbouring fields apart, and the ones an unknown from an empty one.
        digest.update(field.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
        digest.update(field.unwrap_or_default());
    };
    put(Some(name.as_bytes()));
    put(Some(&[u8::from(*origin == Origin::Simulated)]));
    for field in told {
        put(field.as_deref().map(str::as_bytes));
    }
    put(prepared_sha256.map(str::as_bytes));
    for part in content {
        put(Some(part));
    }
    digest.finalize().into()
}

/// What is wrong with a record and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The checksum of the record does not fit: it was torn or has rotted.
    Damaged,
    /// Record and row bear different seals.
    Exchanged,
    /// They bear the same seal, and it is not that of what they hold.
    Changed,
    /// The prepared scan is torn or has rotted.
    PreparedDamaged,
    /// The prepared scan is whole, and that of another scan.
    PreparedExchanged,
}

impl Fault {
    /// In words, of a record.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Damaged => "its features are damaged",
            Self::Exchanged => "its features belong to another scan than its row in the catalogue",
            Self::Changed => "its features or its row in the catalogue were changed since it was taken in",
            Self::PreparedDamaged => "its prepared scan is damaged",
            Self::PreparedExchanged => {
                "its prepared scan belongs to another scan than its row in the catalogue"
            }
        }
    }
}

/// Whether the features of a row are its own.
pub(crate) fn fault(row: &Row, store: &Store<'_>) -> Option<Fault> {
    let record = row.record as usize;
    let kept = store.seal(record);
    if hex::encode(kept) != row.seal {
        return Some(if store.is_sound(record) { Fault::Exchanged } else { Fault::Damaged });
    }
    if !store.is_sound(record) {
        return Some(Fault::Damaged);
    }
    let own = seal(&row.scan, store.content(record), row.prepared_sha256.as_deref());
    (own != kept).then_some(Fault::Changed)
}

/// Whether the bytes are those of the row's prepared scan; a damaged one is told by whoever unpacks it.
pub(crate) fn is_own(row: &Row, prepared: &[u8]) -> bool {
    row.prepared_sha256.as_deref() == Some(digest(prepared).as_str())
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
