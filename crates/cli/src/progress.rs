//! Progress bars for long work: on a terminal only, always on standard error.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `steps` steps of `what`. Where standard error is no terminal, nothing is drawn.
pub(crate) fn bar(steps: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
        .expect("the template is a constant that is tried by every run");
    ProgressBar::new(steps).with_style(style).with_message(what.to_owned())
}
