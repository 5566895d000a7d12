//! Any bytes as a feature file: every record reads or does not, nothing panics, and a search over it ends.
#![no_main]

use std::sync::OnceLock;

use comparison::search::{self, Query, Stages, Store};
use comparison::{MarkKind, Preset, prepare};
use libfuzzer_sys::fuzz_target;
use topography::{Grid, Length, Pitch, Topography};

/// Asked of every store: made-up roughness.
fn query() -> &'static Query {
    static QUERY: OnceLock<Query> = OnceLock::new();
    QUERY.get_or_init(|| {
        let rough = |x: usize, y: usize| ((x * 7919 + y * 104_729 + (x / 9) * (y / 7) * 31) % 97) as f64 * 0.02;
        let pitch = Pitch::square(Length::um(6.25));
        let scan = Topography { heights: Grid::from_fn(400, 400, rough), pitch };
        let surface = prepare(&scan, &Preset::default_for(MarkKind::BreechFace)).expect("it has relief");
        Query::new(&surface).expect("it has relief")
    })
}

fuzz_target!(|bytes: &[u8]| {
    // A header with a right checksum is not found by chance: records are tried behind one of ours as well.
    let mut behind_ours = search::header(&Preset::default_for(MarkKind::BreechFace));
    behind_ours.extend_from_slice(bytes);
    for file in [bytes, &behind_ours] {
        let Ok(store) = Store::open(file) else { continue };
        let sound = (0..=store.len()).filter(|&record| store.is_sound(record)).count();
        let found = search::search(query(), &store, &|_| true, Stages { registered: 2, compared: 2 });
        let found = found.expect("the presets are the same");
        assert!(found.searched == store.len() && found.leads.len() <= sound);
    }
    let _ = search::unpack(bytes, &Preset::default_for(MarkKind::BreechFace));
});
