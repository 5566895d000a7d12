//! What a node does by itself: fetch the directory, have its log cosigned, remind.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::ServeError;
use super::people::{self, Owner, People};
use super::routes::{self, Common};
use crate::access::Access;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::roles::{Agency, Cosigned, Desk, DirectoryHolder, DirectoryKeeper, Issuer, WitnessNode};

/// How often the log is offered to the witnesses.
const COSIGN: Duration = Duration::from_millis(500);
/// How often the directory is fetched, in ticks of [`COSIGN`].
const RENEW: u32 = 20;
/// An hour, in ticks of [`COSIGN`].
const HOUR: u32 = 7_200;

type Stopped = watch::Receiver<bool>;

pub(super) async fn issuer(
    node: Arc<Issuer>,
    clock: Clock,
    stopped: Stopped,
) -> Result<(Router, JoinHandle<()>), ServeError> {
    let cosigned = Arc::new(Cosigned::new(&node.node.folder));
    let common = Common {
        node: Arc::new(node.node.clone()),
        metrics: Arc::clone(&node.metrics),
        clock: clock.clone(),
        cosigned: Some(Arc::clone(&cosigned)),
    };
    let access = Arc::new(Access::open(&node.node)?);
    let owner = Owner::Issuer(Arc::clone(&node));
    let people = People { access: Arc::clone(&access), owner, desk: None, clock: clock.clone() };
    let routes = routes::issuer(Arc::clone(&node), common, people::routes(people));
    renew(&node.directory, &clock).await;
    let work = tokio::spawn(every(stopped, move |tick| {
        let (node, clock, cosigned) = (Arc::clone(&node), clock.clone(), Arc::clone(&cosigned));
        let access = Arc::clone(&access);
        async move {
            close_unused(tick, (&access, &node.ledger), &clock).await;
            if tick % RENEW == 0 {
                renew(&node.directory, &clock).await;
            }
            if let Some(directory) = node.directory.newest() {
                let log = node.node.log.verifier();
                let (count, _) = cosigned.renew(&node.ledger, log, &directory, clock.now()).await;
                node.metrics.gauge("witnesses_cosigned", count as i64);
            }
            node.remind();
        }
    }));
    Ok((routes, work))
}

pub(super) async fn agency(
    node: Arc<Agency>,
    clock: Clock,
    stopped: Stopped,
) -> Result<(Router, JoinHandle<()>), ServeError> {
    let cosigned = Arc::new(Cosigned::new(&node.node.folder));
    let common = Common {
        node: Arc::new(node.node.clone()),
        metrics: Arc::clone(&node.metrics),
        clock: clock.clone(),
        cosigned: Some(Arc::clone(&cosigned)),
    };
    let access = Arc::new(Access::open(&node.node)?);
    let desk = Some(Arc::new(Desk::open(Arc::clone(&node))?));
    let owner = Owner::Agency(Arc::clone(&node));
    let people = People { access: Arc::clone(&access), owner, desk, clock: clock.clone() };
    let routes = routes::agency(Arc::clone(&node), common, node.node.token()?, people::routes(people));
    renew(&node.directory, &clock).await;
    let work = tokio::spawn(every(stopped, move |tick| {
        let (node, clock, cosigned) = (Arc::clone(&node), clock.clone(), Arc::clone(&cosigned));
        let access = Arc::clone(&access);
        async move {
            close_unused(tick, (&access, &node.ledger), &clock).await;
            if tick % RENEW == 0 {
                renew(&node.directory, &clock).await;
            }
            if let Some(directory) = node.directory.newest() {
                let log = node.node.log.verifier();
                cosigned.renew(&node.ledger, log, &directory, clock.now()).await;
            }
        }
    }));
    Ok((routes, work))
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
    };
    let routes = routes::witness(Arc::clone(&node), common);
    renew(&node.directory, &clock).await;
    let work = tokio::spawn(every(stopped, move |tick| {
        let (node, clock) = (Arc::clone(&node), clock.clone());
        async move {
            if tick % RENEW == 0 {
                renew(&node.directory, &clock).await;
            }
        }
    }));
    (routes, work)
}

pub(super) async fn directory(
    node: Arc<DirectoryKeeper>,
    clock: Clock,
    stopped: Stopped,
) -> (Router, JoinHandle<()>) {
    let common = Common {
        node: Arc::new(node.node.clone()),
        metrics: Arc::clone(&node.metrics),
        clock,
        cosigned: None,
    };
    let routes = routes::directory(Arc::clone(&node), common);
    publish(&node).await;
    let work = tokio::spawn(every(stopped, move |_| {
        let node = Arc::clone(&node);
        async move { publish(&node).await }
    }));
    (routes, work)
}

/// Closes accounts that nobody used for 90 days: at the start and every hour.
async fn close_unused(tick: u32, (access, ledger): (&Access, &Ledger), clock: &Clock) {
    if tick % HOUR != 1 {
        return;
    }
    if let Err(error) = access.close_unused(ledger, clock.now()).await {
        tracing::error!(%error, "unused accounts were not closed");
    }
}

async fn publish(node: &DirectoryKeeper) {
    if let Err(problem) = node.publish().await {
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
