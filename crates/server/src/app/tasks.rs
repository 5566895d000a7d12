//! What a node does by itself: fetch the directory, have its log cosigned, remind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::ServeError;
use super::people::{self, Owner, People};
use super::routes::{self, Common};
use crate::access::Access;
use crate::clock::Clock;
use crate::config::Node;
use crate::federation::Directory;
use crate::ledger::Ledger;
use crate::roles::{Cosigned, Desk, DirectoryHolder, DirectoryKeeper, Watched, WitnessNode};
use crate::telemetry::Metrics;

/// How often the log is offered to the witnesses.
const COSIGN: Duration = Duration::from_millis(500);
/// How long a node that ends waits for proofs of its answers.
const LAST_PROOFS: Duration = Duration::from_secs(3);
/// How long a node waits for its witnesses before it opens its door.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How often the directory is fetched that is held already, in ticks of [`COSIGN`].
const RENEW: u32 = 20;
/// How often proofs of what was answered are fetched, in the same ticks: many at a time.
const PROVE: u32 = 4;
/// How often an agency asks again what came to no end, in the same ticks.
const AGAIN: u32 = 20;
/// How often an agency notes which answers wait for theirs.
const KEEP: u32 = 600;
/// An hour, in ticks of [`COSIGN`].
const HOUR: u32 = 7_200;

type Stopped = watch::Receiver<bool>;

/// An issuer's or an agency's node: a log that is cosigned, and people with accounts.
pub(super) async fn with_people(
    owner: Owner,
    (clock, by_address): (Clock, bool),
    stopped: Stopped,
) -> Result<(Router, JoinHandle<()>), ServeError> {
    let node = owner.node();
    let cosigned = Arc::new(Cosigned::new(node));
    let common = Common {
        node: Arc::new(node.clone()),
        metrics: Arc::clone(owner.metrics()),
        clock: clock.clone(),
        cosigned: Some(Arc::clone(&cosigned)),
        log: Some(owner.ledger().state()),
        waits_for_witnesses: true,
    };
    let access = Arc::new(Access::open(node)?.by_address(by_address));
    access.reconcile(owner.ledger(), clock.now()).await?;
    let desk = match &owner {
        Owner::Agency(agency) => Some(Arc::new(Desk::open(Arc::clone(agency))?)),
        Owner::Issuer(_) => None,
    };
    let people = people::routes(People {
        access: Arc::clone(&access),
        owner: owner.clone(),
        desk: desk.clone(),
        machine: node.new_machine_token()?,
        clock: clock.clone(),
    });
    let books = matches!(owner, Owner::Issuer(_)).then(|| Arc::new(Cosigned::of_books(node)));
    let routes = match &owner {
        Owner::Issuer(issuer) => routes::issuer((Arc::clone(issuer), books.clone()), common, people),
        Owner::Agency(agency) => routes::agency(Arc::clone(agency), common, node.token()?, people),
    };
    renew(owner.directory(), &clock).await;
    let looks_for_unused = AtomicBool::new(false);
    let household = Household { owner, access, desk, cosigned, books, clock, looks_for_unused };
    let household = Arc::new(household);
    // What the witnesses hold is looked at before anything is answered; one that is away does not keep the door shut.
    let _ = tokio::time::timeout(FIRST_LOOK, household.cosign()).await;
    let work = tokio::spawn(async move {
        let upkeep = every(stopped.clone(), |tick| {
            let household = Arc::clone(&household);
            async move { household.tick(tick).await }
        });
        let still_stopped = stopped.clone();
        // A directory that hangs holds up nothing else.
        let renewal = every(stopped, |tick| {
            let household = Arc::clone(&household);
            async move { household.renew(tick).await }
        });
        // Nor an issuer that gives no proofs.
        let proofs = every(still_stopped, |tick| {
            let household = Arc::clone(&household);
            async move { household.prove(tick).await }
        });
        tokio::join!(upkeep, renewal, proofs);
        household.close().await;
    });
    Ok((routes, work))
}

/// What an issuer's or an agency's node looks after by itself.
struct Household {
    owner: Owner,
    access: Arc<Access>,
    desk: Option<Arc<Desk>>,
    cosigned: Arc<Cosigned>,
    /// Of an issuer's books.
    books: Option<Arc<Cosigned>>,
    clock: Clock,
    /// Whether accounts that nobody used are to be looked for.
    looks_for_unused: AtomicBool,
}

impl Household {
    async fn tick(&self, tick: u32) {
        let (owner, clock) = (&self.owner, &self.clock);
        if tick % HOUR == 1 {
            self.looks_for_unused.store(true, Ordering::Relaxed);
        }
        // A clock that is far ahead finds no directory that holds, and must not shut everybody out.
        if owner.directory().current(clock.now()).is_ok()
            && self.looks_for_unused.swap(false, Ordering::Relaxed)
        {
            close_unused((&self.access, owner.ledger()), clock).await;
        }
        self.settle(false).await;
        self.cosign().await;
        gauges(owner.node(), owner.directory(), owner.metrics(), clock);
        if let Owner::Issuer(issuer) = owner {
            issuer.remind().await;
        }
        if let Some(desk) = &self.desk {
            desk.remind(clock.now()).await;
            desk.keep(clock.now()).await;
        }
    }

    /// Fetches the directory, now and then.
    async fn renew(&self, tick: u32) {
        let directory = self.owner.directory();
        if directory.is_due(tick, RENEW) {
            renew(directory, &self.clock).await;
        }
    }

    /// Keeps the proofs of what an agency was answered, as soon as witnesses have cosigned it.
    async fn prove(&self, tick: u32) {
        let Owner::Agency(agency) = &self.owner else { return };
        if tick.is_multiple_of(AGAIN) {
            agency.ask_unended().await;
        }
        if tick.is_multiple_of(PROVE)
            && let Some(own) = self.cosigned.newest()
        {
            agency.keep_proofs(&own).await;
        }
        if tick.is_multiple_of(KEEP) {
            agency.rest().await;
        }
    }

    /// Before a node ends: refused sign-ins are entered, and whatever it answered or was answered is cosigned and proved as far as others
    /// let it in a few seconds. A node that ends for good must leave no answer that no court can be shown.
    async fn close(&self) {
        self.settle(true).await;
        let proved = async {
            self.cosign().await;
            if let Owner::Agency(agency) = &self.owner {
                agency.settle_proofs(LAST_PROOFS).await;
            }
        };
        let _ = tokio::time::timeout(2 * LAST_PROOFS, proved).await;
    }

    /// Has the logs cosigned.
    async fn cosign(&self) {
        let (owner, now) = (&self.owner, self.clock.now());
        let Some(directory) = owner.directory().newest() else { return };
        let (watched, log) = (Watched::Node(owner.ledger()), owner.node().log.verifier());
        // Before anything is answered: an older copy of the books is told in the same breath.
        let renewed = self.cosigned.renew(&watched, log, &directory, now);
        let ((count, quorum), ()) = tokio::join!(renewed, self.cosign_books(&directory));
        owner.metrics().gauge("witnesses_cosigned", count as i64);
        if quorum {
            owner.ledger().state().was_heard();
        }
    }

    /// Enters sign-ins that were refused.
    async fn settle(&self, anyhow: bool) {
        let (ledger, now) = (self.owner.ledger(), self.clock.now());
        if let Err(error) = self.access.settle(ledger, now, anyhow).await {
            tracing::error!(%error, "sign-ins that were refused are not in the log");
        }
    }

    /// The log of an issuer's books goes to the witnesses too, where the directory says which it is.
    async fn cosign_books(&self, directory: &Directory) {
        let node = self.owner.node();
        let listed = directory.issuer(&node.config.name).and_then(|card| card.books_log.clone());
        let (Some(cosigned), Some(key), Owner::Issuer(issuer)) = (&self.books, listed, &self.owner) else {
            return;
        };
        let (Ok(key), Some(folder)) = (key.parse(), node.folder.parent()) else { return };
        let watched = Watched::Books(folder.join("log"), &issuer.books_longer);
        let (count, _) = cosigned.renew(&watched, &key, directory, self.clock.now()).await;
        self.owner.metrics().gauge("witnesses_cosigned_books", count as i64);
        if issuer.whole_books().is_err() {
            self.owner.metrics().works("books", false);
        }
    }
}

/// When directory and certificate end, in seconds from now.
fn gauges(node: &Node, directory: &DirectoryHolder, metrics: &Metrics, clock: &Clock) {
    let left = expiry(node, metrics, directory.expires_at(), clock.now());
    metrics.works("directory", left > 0 && directory.is_sound());
}

/// Sets the gauges of both; how many seconds the directory has left.
fn expiry(node: &Node, metrics: &Metrics, directory: Option<Timestamp>, now: Timestamp) -> i64 {
    let left = |at: Timestamp| at.as_second() - now.as_second();
    let of_directory = directory.map_or(0, left);
    metrics.gauge("directory_expires_in_seconds", of_directory);
    if let Some(tls) = &node.tls {
        metrics.gauge("certificate_expires_in_seconds", left(tls.expires_at()));
    }
    of_directory
}

pub(super) async fn witness(
    node: Arc<WitnessNode>,
    clock: Clock,
    stopped: Stopped,
) -> (Router, JoinHandle<()>) {
    let common = Common {
        node: Arc::new(node.node.clone()),
        metrics: Arc::clone(&node.metrics),
        clock: clock.clone(),
        cosigned: None,
        log: None,
        waits_for_witnesses: false,
    };
    let routes = routes::witness(Arc::clone(&node), common);
    renew(&node.directory, &clock).await;
    let work = tokio::spawn(every(stopped, move |tick| {
        let (node, clock) = (Arc::clone(&node), clock.clone());
        async move {
            if node.directory.is_due(tick, RENEW) {
                renew(&node.directory, &clock).await;
            }
            gauges(&node.node, &node.directory, &node.metrics, &clock);
        }
    }));
    (routes, work)
}

pub(super) async fn directory(
    node: Arc<DirectoryKeeper>,
    clock: Clock,
    stopped: Stopped,
) -> (Router, JoinHandle<()>) {
    let cosigned = Arc::new(Cosigned::new(&node.node));
    let common = Common {
        node: Arc::new(node.node.clone()),
        metrics: Arc::clone(&node.metrics),
        clock: clock.clone(),
        cosigned: Some(Arc::clone(&cosigned)),
        log: Some(node.ledger.state()),
        // The witnesses learn of it from its directory.
        waits_for_witnesses: false,
    };
    let routes = routes::directory(Arc::clone(&node), common);
    publish(&node).await;
    let work = tokio::spawn(every(stopped, move |_| {
        let (node, cosigned, clock) = (Arc::clone(&node), Arc::clone(&cosigned), clock.clone());
        async move {
            publish(&node).await;
            let (metrics, log) = (&node.metrics, node.node.log.verifier());
            if let Some(directory) = node.directory() {
                let watched = Watched::Node(&node.ledger);
                let (count, _) = cosigned.renew(&watched, log, &directory, clock.now()).await;
                metrics.gauge("witnesses_cosigned", count as i64);
                if let Some(signed) = cosigned.newest() {
                    node.keep_proof(&signed);
                }
            }
            let expires = node.directory().map(|directory| directory.content().expires_at);
            expiry(&node.node, metrics, expires, clock.now());
        }
    }));
    (routes, work)
}

/// Closes accounts that nobody used for 90 days: at the start and every hour.
async fn close_unused((access, ledger): (&Access, &Ledger), clock: &Clock) {
    if let Err(error) = access.close_unused(ledger, clock.now()).await {
        tracing::error!(%error, "unused accounts were not closed");
    }
}

async fn publish(node: &DirectoryKeeper) {
    let published = node.publish().await;
    node.metrics.works("directory", published.is_ok());
    if let Err(problem) = published {
        tracing::error!(detail = problem.detail, "the directory was not published");
    }
}

async fn renew(holder: &DirectoryHolder, clock: &Clock) {
    if let Err(problem) = holder.renew(clock.now()).await {
        tracing::warn!(detail = problem.detail, "the directory was not renewed");
    }
}

/// Does something again and again until the node stops.
async fn every<F: Future<Output = ()>>(mut stopped: Stopped, mut work: impl FnMut(u32) -> F) {
    let mut ticks = interval(COSIGN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut tick = 1;
    loop {
        tokio::select! {
            _ = ticks.tick() => work(tick).await,
            () = told(&mut stopped) => return,
        }
        tick = tick.wrapping_add(1);
    }
}

/// Until the node is told to stop.
pub(super) async fn told(stopped: &mut Stopped) {
    // The guard must not live across an await.
    let _ = stopped.wait_for(|stop| *stop).await.is_ok();
}
