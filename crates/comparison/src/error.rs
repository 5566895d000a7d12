//! What can go wrong, by who must act.

/// Why a comparison, a calibration or a search was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// No preset has this name.
    #[error("there is no preset `{name}`\nhint: the presets are {known}")]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Too little of the scan is measured.
    #[error(
        "only {percent:.1} % of the scan is measured, too little to compare\nhint: scan again, or mask less"
    )]
    TooFewPoints {
        /// The measured share of all points, in percent.
        percent: f64,
    },
    /// The scan carries no relief.
    #[error("the scan is flat: nothing is left to compare between the cut-off wavelengths")]
    Flat,
    /// The scan is too coarse for the preset.
    #[error(
        "the scan has a sample every {pitch} and the preset `{preset}` needs one at least every {needed}\nhint: scan at a higher magnification"
    )]
    TooCoarse {
        /// The pitch of the scan.
        pitch: topography::Length,
        /// The coarsest that the preset takes.
        needed: topography::Length,
        /// The preset.
        preset: &'static str,
    },
    /// The scan is too small to hold one cell, or larger than any primer.
    #[error("the measured area is {width} by {height}: {what}")]
    Size {
        /// Across.
        width: topography::Length,
        /// Down.
        height: topography::Length,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Too few cells hold enough measured points.
    #[error(
        "only {cells} cells of the scan hold enough measured points, too few to compare ({needed} are needed)\nhint: scan again, or mask less"
    )]
    TooFewCells {
        /// Cells there are.
        cells: usize,
        /// Cells needed.
        needed: usize,
    },
    /// A raw scan without the mark.
    #[error("the scan shows {0}\nhint: mask the mark by hand, or choose the other kind of mark")]
    NoMark(&'static str),
    /// A filter refused the surface.
    #[error("the surface cannot be filtered: {0}")]
    Filter(String),
    /// The surfaces cannot be compared with each other.
    #[error("the two scans were prepared differently: {0}\nhint: prepare both with the same preset")]
    Mismatch(String),
    /// A calibration does not fit the question.
    #[error(
        "this calibration does not fit: {0}\nhint: calibrate on scans prepared and compared the same way"
    )]
    CalibrationMisfit(String),
    /// No weight can be given to a pair.
    #[error("{0}")]
    Unweighable(String),
    /// A calibration cannot be learnt from these scores.
    #[error("no calibration can be learnt: {0}")]
    Unlearnable(String),
    /// A file of ours cannot be read.
    #[error("the {what} cannot be read: {reason}")]
    Malformed {
        /// Which kind of file.
        what: &'static str,
        /// Why.
        reason: String,
    },
}
