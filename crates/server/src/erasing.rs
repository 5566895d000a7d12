//! Erasing what was asked and answered, a year after the end of its month: names, cases and reasons go, the log's proof that
//! something was there stays.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::Person;
use transparency::VerifierKey;

use crate::access::Access;
use crate::app::ServeError;
use crate::config::{ConfigError, Node, NodeRole};
use crate::federation::FishingRules;
use crate::ledger::{Ledger, LedgerError, Seen, over};
use crate::roles::{Cosigned, DirectoryHolder, Held, Memory, StartError, Watched};

/// Erases the records of every month before a day, the first of a month, at an issuer's or an agency's node that is stopped. What
/// time it is the witnesses say: they are asked to cosign the log first, and where they are away their word of the last day counts.
/// The act is in the log before anything goes. Returns of how many entries from the first there are no records any more, and of how
/// many of these they were missing before: the act names those, and they stay missing.
///
/// # Errors
/// [`ServeError`]; nothing is erased then. Also when the day is less than a year back by the witnesses' clocks, when they saw the
/// entries first less than a year ago, and when the machine's clock is more than a day from theirs.
pub async fn erase_records(
    data: &Path,
    (before, by): (Date, &Person),
    now: Timestamp,
) -> Result<(u64, u64), ServeError> {
    let node = Node::open(data)?;
    if !matches!(node.config.role, NodeRole::Issuer | NodeRole::Agency) {
        let (path, reason) =
            (node.folder.join("node.toml"), "this node's records hold nobody's questions".to_owned());
        return Err(ConfigError::Damaged { path, reason }.into());
    }
    over(before, now).map_err(LedgerError::Kept)?;
    let ledger = Ledger::open(&node.folder, &node.log)?;
    let seen = cosigned(&node, &ledger, now).await?;
    let plan = ledger.plan_erasure(before, seen, now)?;
    let access = Access::open(&node)?;
    access.reconcile(&ledger, now).await?;
    // What the log says of the accounts must outlive the act that said it.
    access.carry_over(&ledger, plan.entries, now).await?;
    // And what waits for somebody, and the public counts, the records that say so.
    match node.config.role {
        NodeRole::Issuer => {
            Memory::open(&ledger, FishingRules::default(), now)?.keep(&ledger, true, now).await?;
        }
        _ => Held::open(&ledger)?.0.keep(&ledger, ledger.end(), now).await?,
    }
    let missing = plan.missing.iter().map(|range| range.end - range.start).sum();
    let entries = plan.entries;
    ledger.erase(plan, by, now).await?;
    Ok((entries, missing))
}

/// What time it is by the witnesses, at the soonest: the newest time at which a quorum cosigned the log of an issuer's books. They
/// are asked to cosign it first. `None` where no node lies beside the books, or no quorum ever cosigned them.
///
/// # Errors
/// [`ServeError`] when the node's folder cannot be used.
pub async fn witnessed_time_of_books(data: &Path, now: Timestamp) -> Result<Option<Timestamp>, ServeError> {
    if !data.join("node/node.toml").exists() {
        return Ok(None);
    }
    let node = Node::open(data)?;
    let holder = DirectoryHolder::new(&node)?;
    let _ = holder.renew(now).await;
    let (Some(directory), Some(key)) = (holder.newest(), node.books_log()) else { return Ok(None) };
    let (cosigned, longer) = (Cosigned::of_books(&node), AtomicU64::new(0));
    let watched = Watched::Books(data.join("log"), &longer);
    let log: VerifierKey =
        key.parse().map_err(|error| LedgerError::Record(format!("keys/log.pub: {error}")))?;
    cosigned.renew(&watched, &log, &directory, now).await;
    let span = cosigned.newest().and_then(|signed| directory.policy(&key).ok()?.check(&signed).ok()?.span);
    Ok(span.and_then(|(_, from)| Timestamp::from_second(i64::try_from(from).ok()?).ok()))
}

/// What a quorum of witnesses cosigns of the log now, or did last.
async fn cosigned(node: &Node, ledger: &Ledger, now: Timestamp) -> Result<Seen, StartError> {
    let holder = DirectoryHolder::new(node)?;
    let missing = |reason: &str| StartError::from(LedgerError::Kept(reason.to_owned()));
    // After a long rest there may be other witnesses; under a wrong clock none is taken, and the one held decides.
    let _ = holder.renew(now).await;
    let directory = holder.newest().ok_or_else(|| {
        missing("no directory says whose word on the time counts\nhint: let the node run until it has one")
    })?;
    let cosigned = Cosigned::new(node);
    cosigned.renew(&Watched::Node(ledger), node.log.verifier(), &directory, now).await;
    let signed = cosigned.newest();
    let signed = signed.ok_or_else(|| {
        missing("no quorum of witnesses cosigned this log, so nothing says what time it is")
    })?;
    Ok(Seen::new(&directory, &signed))
}
