//! The banks of the marks of one part of a firearm, and what is made of them once.

use std::sync::{Arc, Mutex, OnceLock};

use rustfft::num_complex::Complex32;
use symbology::{Mark, Scheme};
use topography::Length;

use crate::align::Matcher;
use crate::bank::Bank;
use crate::flanks::Pieces;
use crate::foil::{FOILS, Foil};
use crate::master::Master;
use crate::observe::shape_spectra;
use crate::ring::{Ring, alike_turns};
use crate::search::Rendering;
use crate::symbols::{agreement, evidence_of};
use crate::teeth::Teeth;

/// The marks of one part of a firearm, coarse and fine, or a foil of them.
pub(crate) struct Banks {
    pub(crate) coarse: Bank,
    pub(crate) fine: Arc<Bank>,
    /// Micrometres to a module at scale 1.
    pub(crate) module_um: f32,
    pub(crate) ring: Option<Ring>,
    /// Turns that only a start mark tells apart.
    pub(crate) turns: Option<usize>,
    low: [OnceLock<Matcher>; 3],
    matchers: [OnceLock<Matcher>; 3],
    masters: [OnceLock<Master>; 3],
    teeth: [OnceLock<Teeth>; 3],
    spectra: OnceLock<Arc<Vec<Vec<Complex32>>>>,
    flanks: OnceLock<Pieces>,
    scheme: Scheme,
    foil: Option<Foil>,
    foils: OnceLock<Vec<Banks>>,
}

/// Samples to a module of the banks.
const LOW: f32 = 1.25;
const COARSE: f32 = 2.0;
const FINE: f32 = 3.0;

/// Banks drawn before, for the schemes read last.
static DRAWN: Mutex<Vec<Arc<Banks>>> = Mutex::new(Vec::new());
const REMEMBERED: usize = 6;

impl Banks {
    /// Draws the marks, or remembers them.
    pub(crate) fn draw(scheme: &Scheme, marks: &[Mark], module: Length) -> Arc<Self> {
        let module_um = module.to_um() as f32;
        let mut drawn = DRAWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let same = |banks: &Arc<Self>| {
            banks.coarse.marks == marks && banks.module_um == module_um && banks.scheme == *scheme
        };
        if let Some(banks) = drawn.iter().find(|banks| same(banks)) {
            return Arc::clone(banks);
        }
        let banks = Arc::new(Self::of(scheme, marks, (module_um, Ring::of(scheme, marks)), None));
        drawn.insert(0, Arc::clone(&banks));
        drawn.truncate(REMEMBERED);
        banks
    }

    fn of(
        scheme: &Scheme,
        marks: &[Mark],
        (module_um, ring): (f32, Option<Ring>),
        foil: Option<Foil>,
    ) -> Self {
        let drawn = |per_module: f32| Bank::draw(scheme, marks, per_module, foil);
        Self { ring, foil, turns: alike_turns(scheme, marks), ..Self::lettered(scheme, module_um, drawn) }
    }

    /// Banks of marks whose layout the scheme does not tell, drawn with some samples to a module.
    pub(crate) fn lettered(scheme: &Scheme, module_um: f32, drawn: impl Fn(f32) -> Bank) -> Self {
        Self {
            coarse: drawn(COARSE),
            fine: Arc::new(drawn(FINE)),
            module_um,
            ring: None,
            turns: None,
            low: [const { OnceLock::new() }; 3],
            matchers: [const { OnceLock::new() }; 3],
            masters: [const { OnceLock::new() }; 3],
            teeth: [const { OnceLock::new() }; 3],
            spectra: OnceLock::new(),
            flanks: OnceLock::new(),
            scheme: scheme.clone(),
            foil: None,
            foils: OnceLock::new(),
        }
    }

    /// Bits by which what parts may be agrees with some code, beyond what choosing it costs: of the shapes of the coarse
    /// bank the log-likelihoods.
    pub(crate) fn agreement(&self, shapes: &[Vec<f32>]) -> f64 {
        agreement(&self.scheme, &evidence_of(&self.scheme, &self.coarse, shapes)).unwrap_or(0.0)
    }

    pub(crate) fn matcher(&self, rendering: Rendering) -> &Matcher {
        self.matchers[kind(rendering)].get_or_init(|| Matcher::of(&self.coarse, rendering))
    }

    pub(crate) fn master(&self, rendering: Rendering) -> &Master {
        self.masters[kind(rendering)].get_or_init(|| Master::of(&self.coarse, rendering))
    }

    /// The matcher of the first look at many turns; flanks are too thin for fewer samples.
    pub(crate) fn low(&self, rendering: Rendering) -> &Matcher {
        if rendering == Rendering::Flanks {
            return self.matcher(rendering);
        }
        let draw = || Matcher::of(&Bank::draw(&self.scheme, &self.coarse.marks, LOW, self.foil), rendering);
        self.low[kind(rendering)].get_or_init(draw)
    }

    /// The spectra of all shapes of the fine bank.
    pub(crate) fn spectra(&self) -> Arc<Vec<Vec<Complex32>>> {
        Arc::clone(self.spectra.get_or_init(|| Arc::new(shape_spectra(&self.fine))))
    }

    /// What the fine bank is made of under light from all sides.
    pub(crate) fn flanks(&self) -> &Pieces {
        self.flanks.get_or_init(|| Pieces::of(&self.fine))
    }

    /// What the cells of the ring may show, where there is one.
    pub(crate) fn teeth(&self, rendering: Rendering) -> Option<&Teeth> {
        let ring = self.ring.as_ref()?;
        Some(self.teeth[kind(rendering)].get_or_init(|| Teeth::of(ring, rendering)))
    }

    /// The foils of marks that have a ring; none of others.
    pub(crate) fn foils(&self) -> &[Self] {
        self.foils.get_or_init(|| {
            let Some(ring) = self.ring.filter(|_| self.foil.is_none()) else { return Vec::new() };
            let of = |cells: usize| {
                let foil = Foil::of(ring.cells_and_start(), cells);
                let ring = ring.foiled(&foil, cells);
                Self::of(&self.scheme, &self.coarse.marks, (self.module_um, Some(ring)), Some(foil))
            };
            FOILS.map(of).into()
        })
    }
}

fn kind(rendering: Rendering) -> usize {
    match rendering {
        Rendering::Height | Rendering::Relief => 0,
        Rendering::Slope => 1,
        Rendering::Flanks => 2,
    }
}
