//! A running node: routes, background work, graceful end.

mod people;
mod refusals;
mod routes;
mod serving;
mod tasks;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::people::Owner;
pub use self::serving::DoorRules;
pub(crate) use self::serving::{Doors, serve};
use crate::clock::Clock;
use crate::config::{ConfigError, Node, NodeRole};
use crate::federation::FishingRules;
use crate::roles::{Agency, DirectoryKeeper, Issuer, StartError, WitnessNode};

/// How long requests that have begun may take to end after the node was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Folder, books or log.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its accounts.
    #[error(transparent)]
    Access(#[from] crate::access::AccessError),
    /// The address cannot be listened on.
    #[error("cannot listen: {0}")]
    Listen(std::io::Error),
    /// The certificate or its key cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The system lets the process open too few files.
    #[error(
        "this process may open {0} files, too few for a node\nhint: let it open more, such as with `ulimit -n 8192`, or LimitNOFILE of \
         a systemd unit"
    )]
    Files(usize),
    /// The role has no server.
    #[error("a dealer's node is not served\nhint: it asks and states through the command line")]
    NoServer,
}

impl From<crate::ledger::LedgerError> for ServeError {
    fn from(error: crate::ledger::LedgerError) -> Self {
        Self::Start(error.into())
    }
}

impl From<ConfigError> for ServeError {
    fn from(error: ConfigError) -> Self {
        Self::Start(error.into())
    }
}

/// How a node is served.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// Its clock.
    pub clock: Clock,
    /// How many uncertain answers an issuer gives.
    pub fishing: FishingRules,
    /// How long its door waits, and for how many.
    pub door: DoorRules,
}

/// A node that runs in this process.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Server {
    /// Starts the node of a folder on a listener that is open already.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn start(
        data: &Path,
        listener: TcpListener,
        options: ServeOptions,
    ) -> Result<Self, ServeError> {
        listener.set_nonblocking(true).map_err(ServeError::Listen)?;
        let address = listener.local_addr().map_err(ServeError::Listen)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Listen)?;
        let (stop, stopped) = watch::channel(false);
        let (clock, door) = (options.clock, options.door.within_the_files().map_err(ServeError::Files)?);
        let by_address = door.by_address();
        // Boxed, as what opens a node is large and everything that waits for it would be too.
        // The door knows the peers that the node itself learns from its directory.
        let node = Node::open(data)?;
        // Without one everybody would be let in who sends nothing.
        node.token()?;
        let (tls, (routes, work)) = match node.config.role {
            NodeRole::Issuer => {
                let node = Arc::new(Box::pin(Issuer::open(data, clock.clone(), options.fishing)).await?);
                let tls = node.node.tls.clone();
                (
                    tls,
                    Box::pin(tasks::with_people(Owner::Issuer(node), (clock, by_address), stopped.clone()))
                        .await?,
                )
            }
            NodeRole::Agency => {
                let node = Arc::new(Agency::open(data, clock.clone())?);
                let tls = node.node.tls.clone();
                (
                    tls,
                    Box::pin(tasks::with_people(Owner::Agency(node), (clock, by_address), stopped.clone()))
                        .await?,
                )
            }
            NodeRole::Witness => {
                let node = Arc::new(WitnessNode::open(data, clock.clone())?);
                (node.node.tls.clone(), Box::pin(tasks::witness(node, clock, stopped.clone())).await)
            }
            NodeRole::Directory => {
                let node = Arc::new(DirectoryKeeper::open(data, clock.clone())?);
                (node.node.tls.clone(), Box::pin(tasks::directory(node, clock, stopped.clone())).await)
            }
            NodeRole::Dealer => return Err(ServeError::NoServer),
        };
        let doors = Doors::open(listener, tls.as_deref(), door)?;
        let running = tokio::spawn(run(doors, (routes, door), work, stopped));
        Ok(Self { address, stop, running })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: takes no more requests, ends those that have begun, closes log and books.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.running.await;
    }
}

async fn run(
    doors: Doors,
    inside: (axum::Router, DoorRules),
    work: JoinHandle<()>,
    mut stopped: watch::Receiver<bool>,
) {
    let serving = serve(doors, inside, stopped.clone());
    let late = async {
        tasks::told(&mut stopped).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = serving => {}
        () = late => tracing::warn!("requests that did not end in time were cut off"),
    }
    let _ = work.await;
}
