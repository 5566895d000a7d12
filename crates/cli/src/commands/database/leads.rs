//! Leads as they are printed, and as JSON (schema `microstamp.leads/1`).

use std::fmt::Write as _;

use comparison::evidence::{self, LikelihoodRatio};
use comparison::search::{Found, Link, Stages};
use comparison::{Comparison, Parameters, Preset, Surface};
use serde::Serialize;

use super::catalogue::{Particulars, Row};
use super::export::origin;
use super::filter::Filter;
use crate::wire::comparison::{CalibrationJson, RatioJson, Weigher};

/// Congruent cells from which a lead without a likelihood ratio counts as one (Song 2013).
const CELLS: usize = 6;

/// One lead with everything known about it.
pub(crate) struct Lead {
    pub(crate) row: Row,
    pub(crate) code: f64,
    pub(crate) strength: f64,
    pub(crate) comparison: Comparison,
    /// What it was made with.
    pub(crate) surface: Option<Surface>,
    /// Whether the comparison was made on prepared scans, not at what the index keeps.
    pub(crate) in_full: bool,
    /// The surer lead through which it was found.
    pub(crate) by_way_of: Option<Link>,
    pub(crate) ratio: Option<LikelihoodRatio>,
    /// Why there is none.
    pub(crate) unweighed: Option<String>,
    /// What the reader should know.
    pub(crate) notes: Vec<String>,
}

impl Lead {
    /// Whether the comparison speaks for one firearm.
    pub(crate) fn supports(&self) -> bool {
        self.ratio.as_ref().map_or(self.comparison.congruent() >= CELLS, |ratio| ratio.log10 > 0.0)
    }

    pub(crate) fn title(&self) -> String {
        let scan = &self.row.scan;
        match &scan.particulars.exhibit {
            Some(exhibit) => format!("{} ({exhibit})", scan.name),
            None => scan.name.clone(),
        }
    }

    /// What is known of the case, in words.
    pub(crate) fn known(&self) -> String {
        let Particulars { calibre, class, date, characteristics, .. } = &self.row.scan.particulars;
        let named = [
            ("", calibre),
            ("", class),
            ("firing pin ", &characteristics.firing_pin),
            ("breech face ", &characteristics.breech_face),
            ("aperture ", &characteristics.aperture),
            ("extractor at ", &characteristics.extractor),
            ("ejector at ", &characteristics.ejector),
            ("", date),
        ];
        let told = named.iter().filter_map(|(name, value)| Some(format!("{name}{}", value.as_ref()?)));
        told.collect::<Vec<String>>().join(", ")
    }
}

/// A finished search.
pub(crate) struct Report<'a> {
    pub(crate) file: String,
    pub(crate) sha256: String,
    pub(crate) database: String,
    /// Over all that it holds.
    pub(crate) database_sha256: String,
    pub(crate) preset: &'a Preset,
    pub(crate) weigher: Option<&'a Weigher>,
    pub(crate) filter: &'a Filter,
    /// How many scans might pass from stage to stage.
    pub(crate) allowed: Stages,
    /// How many did; without its leads.
    pub(crate) found: &'a Found,
    pub(crate) scans: usize,
    pub(crate) itself: Option<i64>,
    /// Of the scan that asks.
    pub(crate) notes: &'a [String],
    /// What the leads are in the order of.
    pub(crate) ordered_by: Order,
    pub(crate) leads: &'a [Lead],
}

/// Comparisons of different detail are never put in one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// Every lead was compared in full.
    Full,
    /// All by the comparison at what the index keeps, because some leads have no other.
    Index,
}

pub(crate) const NOTE: &str = "leads for an examiner to look into, not identifications";

impl Report<'_> {
    pub(crate) fn text(&self) -> String {
        let searched = self.found.searched;
        let mut text = format!("{}: {searched} of {} scans searched\n", self.file, self.scans);
        for (rank, lead) in (1..).zip(self.leads) {
            let known = lead.known();
            let weight = lead.ratio.as_ref().map_or_else(
                || format!("no LR: {}", one_line(lead.unweighed.as_deref().unwrap_or("not asked for"))),
                |ratio| format!("log10 LR {}, {}", ratio.told(), evidence::verbal(ratio.log10)),
            );
            let _ = write!(
                text,
                "{rank:>3}  {}  {} of {} cells congruent, {weight}",
                lead.title(),
                lead.comparison.congruent(),
                lead.comparison.joint_cells()
            );
            if !known.is_empty() {
                let _ = write!(text, "  [{known}]");
            }
            text.push_str(if origin(lead.row.scan.origin) == "simulated" { "  SIMULATED\n" } else { "\n" });
            for note in &lead.notes {
                let _ = writeln!(text, "     note: {}", one_line(note));
            }
        }
        for remark in self.remarks() {
            let _ = writeln!(text, "note: {remark}");
        }
        let _ = writeln!(text, "note: {NOTE}");
        text
    }

    /// What the reader of the list should know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let own = self.notes.iter().map(|note| one_line(note).to_owned());
        let itself = self
            .itself
            .map(|record| format!("the scan itself is record {record} of the database and was left out"));
        let damaged = self.found.damaged.iter().map(|record| {
            format!("record {record} is damaged and was left out: index its scan again into a new folder")
        });
        let mixed = self.leads.iter().any(|lead| lead.in_full) && self.ordered_by == Order::Index;
        let order = mixed.then(|| {
            "not every lead is kept in detail, so all stand in the order of what the index keeps; cells of leads without a \
             ratio are counted at half the detail"
                .to_owned()
        });
        own.chain(itself).chain(damaged).chain(order).collect()
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Json {
            schema: "microstamp.leads/1",
            version: env!("CARGO_PKG_VERSION"),
            query: Query { file: &self.file, sha256: &self.sha256, record: self.itself },
            database: &self.database,
            database_sha256: &self.database_sha256,
            preset: self.preset.name,
            rules: self.preset.rules(),
            parameters: self.preset.parameters(),
            calibration: self.weigher.map(CalibrationJson::from),
            filters: self.filter,
            scans: self.scans,
            searched: self.found.searched,
            stages: StagesJson::new(self.allowed, self.found, self.leads.len()),
            ordered_by: self.ordered_by,
            warnings: self.notes,
            leads: (1..).zip(self.leads).map(|(rank, lead)| lead_json(rank, lead)).collect(),
            damaged: &self.found.damaged,
            note: NOTE,
        })
    }
}

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    version: &'static str,
    query: Query<'a>,
    database: &'a str,
    database_sha256: &'a str,
    preset: &'a str,
    rules: &'static str,
    parameters: Parameters,
    calibration: Option<CalibrationJson<'a>>,
    filters: &'a Filter,
    scans: usize,
    searched: usize,
    stages: StagesJson<'a>,
    ordered_by: Order,
    warnings: &'a [String],
    leads: Vec<LeadJson<'a>>,
    damaged: &'a [usize],
    note: &'static str,
}

/// What was narrowed to how many.
#[derive(Serialize)]
struct StagesJson<'a> {
    /// Codes held against that of the query.
    coded: usize,
    registered: Passed,
    compared: Passed,
    /// Records with which the database was asked once more.
    asked_with: &'a [usize],
    listed: usize,
}

/// How many scans a stage may let pass, and how many it did.
#[derive(Serialize)]
struct Passed {
    at_most: usize,
    passed: usize,
}

impl<'a> StagesJson<'a> {
    fn new(allowed: Stages, found: &'a Found, listed: usize) -> Self {
        Self {
            coded: found.searched,
            registered: Passed { at_most: allowed.registered, passed: found.narrowed.registered },
            compared: Passed { at_most: allowed.compared, passed: found.narrowed.compared },
            asked_with: &found.asked_with,
            listed,
        }
    }
}

#[derive(Serialize)]
struct Query<'a> {
    file: &'a str,
    sha256: &'a str,
    record: Option<i64>,
}

#[derive(Serialize)]
struct LeadJson<'a> {
    rank: usize,
    record: i64,
    name: &'a str,
    path: Option<&'a str>,
    sha256: Option<&'a str>,
    origin: &'static str,
    #[serde(flatten)]
    particulars: &'a Particulars,
    code_agreement: f64,
    registration_strength: f64,
    detail: &'static str,
    by_way_of: Option<ByWayOf>,
    score: f64,
    congruent: usize,
    cells: usize,
    converged: bool,
    accf_max: f64,
    rotation_deg: Option<f64>,
    likelihood_ratio: Option<RatioJson<'a>>,
    conclusion_support: Option<String>,
    unweighed: Option<&'a str>,
    warnings: &'a [String],
}

/// The lead through which another was found, and the cells in which the two agree at the detail of the index.
#[derive(Serialize)]
struct ByWayOf {
    record: usize,
    congruent: usize,
}

/// Without the hint that follows on a line of its own.
fn one_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn lead_json(rank: usize, lead: &Lead) -> LeadJson<'_> {
    let (result, scan) = (&lead.comparison, &lead.row.scan);
    LeadJson {
        rank,
        record: lead.row.record,
        name: &scan.name,
        path: scan.path.as_deref(),
        sha256: scan.sha256.as_deref(),
        origin: origin(scan.origin),
        particulars: &scan.particulars,
        code_agreement: lead.code,
        registration_strength: lead.strength,
        detail: if lead.in_full { "full" } else { "index" },
        by_way_of: lead.by_way_of.map(|Link { record, congruent }| ByWayOf { record, congruent }),
        score: result.score,
        congruent: result.congruent(),
        cells: result.joint_cells(),
        converged: result.converged,
        accf_max: result.accf_max,
        rotation_deg: result.rotation.map(topography::Angle::to_degrees),
        likelihood_ratio: lead.ratio.as_ref().map(RatioJson::from),
        conclusion_support: lead.ratio.as_ref().map(|ratio| evidence::verbal(ratio.log10)),
        unweighed: lead.unweighed.as_deref(),
        warnings: &lead.notes,
    }
}
