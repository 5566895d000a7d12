//! The published sets of parameters, by name.

use topography::Length;

use crate::error::ComparisonError;

/// Which part of the firearm left the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// The breech-face impression on the primer around the firing-pin hole.
    BreechFace,
    /// The firing-pin impression.
    FiringPin,
}

/// How agreeing cells are found where it is by the density of their places: Zhang et al. 2021.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clustering {
    /// Degrees between the turns of the full circle under which every cell searches freely.
    pub turn_step: f64,
    /// Cells whose places lie within this of each other are neighbours.
    pub radius: Length,
    /// So many neighbours, the cell itself among them, make a cell the core of a cluster (`MinPts` of DBSCAN).
    pub least: usize,
}

/// The sweep of the published rules: every cell scans the whole other surface under each of these turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sweep {
    /// Degrees either way, from the turn under which the surfaces were registered.
    pub reach: f64,
    /// Degrees from turn to turn.
    pub step: f64,
}

/// Everything that decides how two surfaces are prepared and compared; every result records it.
///
/// ```
/// let preset = comparison::Preset::named("chen2017")?;
/// assert_eq!(preset.shift_tolerance.to_um(), 125.0);
/// # Ok::<(), comparison::ComparisonError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// The name under which it is published here.
    pub name: &'static str,
    /// The mark it is for.
    pub mark: MarkKind,
    /// Sample pitch after preparation.
    pub pitch: Length,
    /// Wavelengths let through: 50 % transmission at each end.
    pub band: (Length, Length),
    /// Edge of a cell.
    pub cell: Length,
    /// A cell is evaluated where at least this share of its points is measured.
    pub least_valid: f64,
    /// The smallest areal cross-correlation of a congruent cell.
    pub least_accf: f64,
    /// How much that coefficient rises for cells with few joint points: this over the edge, in samples, of a square with
    /// as many, less this over the edge of a cell. Published presets do without.
    pub rise: f64,
    /// How far in degrees the turn of a congruent cell may lie from the reference.
    pub turn_tolerance: f64,
    /// How far the place of a congruent cell may lie from the reference, along each axis.
    pub shift_tolerance: Length,
    /// Convergence by clustering, as for firing pins.
    pub clustering: Option<Clustering>,
    /// The published decision rules over a table of cells and turns; without it, and without clustering, this crate's own.
    pub sweep: Option<Sweep>,
}

/// The numbers of a [`Preset`] and the version of the counting rules, as results and calibrations record them.
///
/// Two comparisons with equal parameters are made the same way, whatever their preset is called.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Parameters {
    /// Grows by one whenever the same scans may come to other counts.
    pub rule: u32,
    /// Whose decision rules: `microstamp`, `published` or `zhang2021`.
    pub rules: String,
    /// Sample pitch after preparation, micrometres.
    pub pitch_um: f64,
    /// Sample pitch at which the coefficients that count are taken, micrometres: waves below twice of it have no part in them.
    pub compared_pitch_um: f64,
    /// Wavelengths let through, micrometres.
    pub band_um: [f64; 2],
    /// Edge of a cell, micrometres.
    pub cell_um: f64,
    /// Measured share from which a cell is evaluated.
    pub least_valid: f64,
    /// Smallest coefficient of a congruent cell.
    pub least_accf: f64,
    /// How that rises for cells with few joint points.
    pub accf_rise: f64,
    /// Tolerance of turns, degrees.
    pub turn_tolerance_deg: f64,
    /// Tolerance of places, micrometres.
    pub shift_tolerance_um: f64,
    /// How agreeing cells are clustered, for firing pins.
    pub clustering: Option<ClusteringParameters>,
    /// The published sweep: degrees either way, degrees from turn to turn.
    pub sweep_deg: Option<[f64; 2]>,
}

/// The numbers of a [`Clustering`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ClusteringParameters {
    /// Degrees between turns.
    pub turn_step_deg: f64,
    /// Radius of a neighbourhood, micrometres.
    pub radius_um: f64,
    /// Neighbours of a core cell.
    pub least_cells: usize,
}

/// The version of the rules by which cells are prepared, found and counted, beyond what a preset says.
const RULE: u32 = 7;

impl Parameters {
    /// What differs from `other`, one phrase each.
    pub(crate) fn unlike(&self, other: &Self) -> Vec<String> {
        let fields = |parameters: &Self| {
            let value = serde_json::to_value(parameters).expect("numbers always serialise");
            value.as_object().cloned().unwrap_or_default()
        };
        let (own, others) = (fields(self), fields(other));
        own.iter()
            .filter(|(name, value)| others.get(*name) != Some(value))
            .map(|(name, value)| format!("{name} {value} against {}", others.get(name).unwrap_or(value)))
            .collect()
    }
}

/// Fadul and Weller sets, convergence method: Chen, Chu, Soons, Yan 2017, Forensic Sci. Int. 280:213-223.
const CHEN2017: Preset = Preset {
    name: "chen2017",
    mark: MarkKind::BreechFace,
    pitch: Length::um(6.25),
    band: (Length::um(16.0), Length::um(250.0)),
    cell: Length::um(468.75),
    least_valid: 0.15,
    least_accf: 0.40,
    rise: 0.0,
    turn_tolerance: 3.0,
    shift_tolerance: Length::um(125.0),
    clustering: None,
    sweep: Some(Sweep { reach: 30.0, step: 3.0 }),
};

/// This crate's own rules (`microstamp` in results), with cell and band of Chen 2017, a tighter place, because registration here is finer than a sample, and a threshold that rises as the
/// joint area shrinks as the best thresholds of Chen et al. 2018 do (0.43 for 100-sample cells to 0.73 for 25).
const MICROSTAMP: Preset = Preset {
    name: "microstamp-1",
    least_accf: 0.44,
    rise: 6.0,
    shift_tolerance: Length::um(75.0),
    sweep: None,
    ..CHEN2017
};

const ALL: [Preset; 8] = [
    MICROSTAMP,
    CHEN2017,
    // Chen, Song, Soons, Murdock, Zhao 2018, J. Res. NIST 123:123015: 50-sample cells.
    Preset { name: "chen2018", cell: Length::um(312.5), least_accf: 0.55, ..CHEN2017 },
    // Song et al. 2014, Meas. Sci. Technol. 25:064005.
    Preset {
        name: "song2014",
        band: (Length::um(40.0), Length::um(400.0)),
        least_accf: 0.60,
        turn_tolerance: 6.0,
        ..CHEN2017
    },
    // Only the band of Weller et al. 2012, J. Forensic Sci. 57:912-917; all else is Chen 2017.
    Preset { name: "weller2012", band: (Length::um(15.0), Length::um(150.0)), ..CHEN2017 },
    // Only the band of Ott et al. 2017, Forensic Sci. Int. 271:98-106, at a pitch that can show it; all else is Chen 2017.
    Preset {
        name: "ott2017",
        pitch: Length::um(3.125),
        band: (Length::um(10.0), Length::um(200.0)),
        ..CHEN2017
    },
    // The defaults of the cmcR package: Zemmels, VanderPlas, Hofmann 2023.
    Preset {
        name: "cmcr",
        band: (Length::um(16.0), Length::um(500.0)),
        least_accf: 0.50,
        turn_tolerance: 6.0,
        ..CHEN2017
    },
    // Zhang et al. 2021, J. Forensic Sci. 66:571-582: pitch, band, cell, threshold, turns and clusters for firing pins.
    Preset {
        name: "zhang2021",
        mark: MarkKind::FiringPin,
        pitch: Length::um(1.5625),
        band: (Length::um(7.8125), Length::um(93.75)),
        cell: Length::um(78.125),
        least_valid: 0.15,
        least_accf: 0.45,
        rise: 0.0,
        turn_tolerance: 15.0,
        shift_tolerance: Length::um(39.0625),
        clustering: Some(Clustering { turn_step: 15.0, radius: Length::um(39.0625), least: 6 }),
        sweep: None,
    },
];

impl Preset {
    /// Its numbers, to be recorded.
    pub fn parameters(&self) -> Parameters {
        Parameters {
            rule: RULE,
            rules: self.rules().to_owned(),
            pitch_um: self.pitch.to_um(),
            compared_pitch_um: self.compared_pitch().to_um(),
            band_um: [self.band.0.to_um(), self.band.1.to_um()],
            cell_um: self.cell.to_um(),
            least_valid: self.least_valid,
            least_accf: self.least_accf,
            accf_rise: self.rise,
            turn_tolerance_deg: self.turn_tolerance,
            shift_tolerance_um: self.shift_tolerance.to_um(),
            clustering: self.clustering.map(|c| ClusteringParameters {
                turn_step_deg: c.turn_step,
                radius_um: c.radius.to_um(),
                least_cells: c.least,
            }),
            sweep_deg: self.sweep.map(|sweep| [sweep.reach, sweep.step]),
        }
    }

    /// Whose decision rules count the cells: `published` (Song 2013, Tong 2015, Chen 2017 and 2018), `zhang2021`, or `microstamp`,
    /// this crate's own.
    pub fn rules(&self) -> &'static str {
        match (self.sweep, self.clustering) {
            (Some(_), _) => "published",
            (None, Some(_)) => "zhang2021",
            (None, None) => "microstamp",
        }
    }

    /// The sample pitch at which the coefficients that count are taken: that of the prepared surface for published rules, twice
    /// as much for the others.
    pub fn compared_pitch(&self) -> Length {
        if self.sweep.is_some() { self.pitch } else { self.pitch * 2.0 }
    }

    /// The smallest coefficient of a congruent cell with `joint` jointly measured points of the given pitch.
    pub(crate) fn threshold(&self, joint: f64, pitch_um: f64) -> f64 {
        let base = self.pitch.to_um();
        let edge = (joint.max(1.0)).sqrt() * pitch_um / base;
        let full = self.cell.to_um() / base;
        self.least_accf + (self.rise / edge - self.rise / full).clamp(0.0, 0.3)
    }

    /// The preset of that name.
    ///
    /// # Errors
    ///
    /// [`ComparisonError::UnknownPreset`] names those there are.
    pub fn named(name: &str) -> Result<Self, ComparisonError> {
        ALL.iter().find(|preset| preset.name == name).cloned().ok_or_else(|| ComparisonError::UnknownPreset {
            name: name.to_owned(),
            known: Self::names().join(", "),
        })
    }

    /// The names of all presets, the default for breech faces first.
    pub fn names() -> Vec<&'static str> {
        ALL.iter().map(|preset| preset.name).collect()
    }

    /// What is used where nobody chose.
    ///
    /// # Panics
    ///
    /// Never: every mark has a preset.
    pub fn default_for(mark: MarkKind) -> Self {
        ALL.iter().find(|preset| preset.mark == mark).cloned().expect("every mark has a preset in the list")
    }
}
