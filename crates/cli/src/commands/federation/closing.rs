//! A maker closes: its books go sealed to another maker, whose node answers for them under a signed delegation.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use registry::{Books, SuccessorIdentity, take_over};
use server::federation::{Directory, delegate};
use server::roles::{DirectoryHolder, EnrolRules, Enrolment};
use server::{Node, validity};

use super::{Running, World};
use crate::commands::books::{failure, wait};
use crate::commands::node::{card, enrol_own};
use crate::exit::{Exit, Failure, OrExit as _};

const OLD: &str = "issuer-k7";
const NEW: &str = "issuer-m2";
const TAKEN: &str = "taken-k7";

/// Stops both makers' nodes, hands the books over, has the delegation published, and starts the successor's node again.
pub(super) fn close(dir: &Path, world: &World, running: &mut Running) -> Result<(), Failure> {
    // First the agency, which keeps the proofs of its answers while those who gave them can be asked.
    running.stop("agency");
    running.stop(OLD);
    running.stop(NEW);
    wait(hand_over(dir))?;
    let old = Node::open(&dir.join(OLD)).or_exit(Exit::Environment, OLD)?;
    let mut new = Node::open(&dir.join(NEW)).or_exit(Exit::Environment, NEW)?;
    new.answer_for(TAKEN).or_exit(Exit::Environment, NEW)?;
    let (from, until) = validity(Timestamp::now(), 30);
    let prefix = "K7".parse().or_exit(Exit::BadInput, "prefix")?;
    let mut entry = card(&old, &[prefix], (from, until))?;
    if let Enrolment::Issuer(card) = &mut entry {
        let note = delegate(&old.config.name, &new.config.name, until, &old.statements);
        card.delegation = Some(note.or_exit(Exit::Environment, "the delegation")?);
    }
    let rules = EnrolRules { replace: true, ..EnrolRules::default() };
    enrol_own(&dir.join("directory"), (&old, &entry), &rules)?;
    wait(published(dir))?;
    for name in [NEW, "agency"] {
        running.start(dir, name, &world.address(name))?;
    }
    Ok(())
}

/// Until the directory has published the delegation and its log, cosigned by the witnesses, shows it; nodes take no version
/// before, and fetch it when they start.
async fn published(dir: &Path) -> Result<(), Failure> {
    let node = Node::open(&dir.join("agency")).or_exit(Exit::Environment, "agency")?;
    let holder = DirectoryHolder::new(&node).or_exit(Exit::Environment, "the directory")?;
    for _ in 0..200 {
        let _ = holder.renew(Timestamp::now()).await;
        let held = holder.newest();
        let delegates =
            |held: Arc<Directory>| held.content().issuers.iter().any(|card| card.delegation.is_some());
        if held.is_some_and(delegates) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err(Exit::Environment
        .because("the directory did not publish the delegation\nhint: look into the folder `logs`"))
}

async fn hand_over(dir: &Path) -> Result<(), Failure> {
    let (now, by) = (Timestamp::now(), "owner".parse().or_exit(Exit::BadInput, "person")?);
    let (identity, file) = (SuccessorIdentity::generate(), dir.join("k7.succession"));
    let books = Books::open(&dir.join(OLD), now).await.map_err(failure)?;
    books.hand_over(&identity.key(), &file, &by, now).await.map_err(failure)?;
    books.close().await;
    let key = crate::files::read_text(&dir.join(OLD).join("keys/log.pub"))?;
    let key = key.trim().parse().or_exit(Exit::Environment, "the log's key")?;
    let taken = take_over(&file, &identity, Some(&key), &dir.join(NEW).join(TAKEN), now).await;
    taken.map(drop).map_err(failure)
}
