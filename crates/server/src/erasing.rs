//! Erasing what was asked and answered, a year after the end of its month: names, cases and reasons go, the log's proof that
//! something was there stays.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::Person;

use crate::access::Access;
use crate::app::ServeError;
use crate::config::{ConfigError, Node, NodeRole};
use crate::ledger::Ledger;

/// Erases the records of every month before a day, the first of a month, at an issuer's or an agency's node that is stopped. The
/// act is in the log before anything goes. Returns of how many entries from the first there are no records any more.
///
/// # Errors
/// [`ServeError`]; nothing is erased then. Also when the day is less than a year back.
pub async fn erase_records(
    data: &Path,
    (before, by): (Date, &Person),
    now: Timestamp,
) -> Result<u64, ServeError> {
    let node = Node::open(data)?;
    if !matches!(node.config.role, NodeRole::Issuer | NodeRole::Agency) {
        let (path, reason) =
            (node.folder.join("node.toml"), "this node's records hold nobody's questions".to_owned());
        return Err(ConfigError::Damaged { path, reason }.into());
    }
    let ledger = Ledger::open(&node.folder, &node.log)?;
    ledger.erasable(before, now)?;
    let access = Access::open(&node)?;
    access.reconcile(&ledger, now).await?;
    // What the log says of the accounts must outlive the act that said it.
    access.carry_over(&ledger, ledger.first_of(before)?, now).await?;
    Ok(ledger.erase((before, by), now).await?)
}
