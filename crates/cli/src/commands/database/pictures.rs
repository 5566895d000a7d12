//! Pictures of leads: the scan that asks beside each, in register.

use comparison::{Surface, picture};
use topography::{Grid, picture::write_colours};

use super::leads::Lead;
use crate::exit::{Exit, Failure, OrExit as _};

/// One row of a picture, with the words above both sides.
type Row = ([Grid<[u8; 3]>; 2], [String; 2]);

/// The scan beside each lead, a row each in the order of the list; `own` is the scan as it is and at what the index keeps.
pub(super) fn drawn(own: [&Surface; 2], leads: &[Lead]) -> Result<Vec<u8>, Failure> {
    let rows: Vec<Row> = (1..).zip(leads).filter_map(|(rank, lead)| row(own, rank, lead)).collect();
    png(&rows)
}

/// The same for one lead; nothing where too little of it is left to draw.
pub(super) fn of(own: [&Surface; 2], rank: usize, lead: &Lead) -> Result<Option<Vec<u8>>, Failure> {
    row(own, rank, lead).map(|row| png(&[row])).transpose()
}

fn row(own: [&Surface; 2], rank: usize, lead: &Lead) -> Option<Row> {
    let pictures = picture::in_register(asking(own, lead), lead.surface.as_ref()?, &lead.comparison);
    let found = if lead.comparison.converged {
        format!("{} of {} cells congruent", lead.comparison.congruent(), lead.comparison.joint_cells())
    } else {
        "no common place found".to_owned()
    };
    Some((pictures, [format!("{rank}: {}", lead.row.scan.name), found]))
}

/// The surface that the comparison of a lead was made with.
pub(super) fn asking<'a>([whole, coarse]: [&'a Surface; 2], lead: &Lead) -> &'a Surface {
    if lead.in_full { whole } else { coarse }
}

fn png(rows: &[Row]) -> Result<Vec<u8>, Failure> {
    if rows.is_empty() {
        return Err(Exit::Negative.because("there is nothing to draw: the list of leads is empty"));
    }
    write_colours(&picture::side_by_side(rows), None).or_exit(Exit::Environment, "cannot draw the picture")
}
