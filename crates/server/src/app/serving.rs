//! Connections: each has a time to say what it wants, and there are only so many at once.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::tasks::told;
use crate::guests::{Guests, Place};
use crate::tls::{Peer, Tls, TlsListener};

/// How long the door waits, and for how many.
#[derive(Debug, Clone, Copy)]
pub struct DoorRules {
    /// Time for the head of a request, also of the next one on a connection that is kept; nodes let go of idle ones after
    /// 30 s.
    pub head: Duration,
    /// Connections at once; who comes when there are so many waits outside. Not more than the process may open files for.
    pub connections: usize,
    /// Of these from one address; who comes from there beyond them is turned away. Behind a proxy, where all have one address,
    /// [`DoorRules::PROXIED`].
    pub per_address: usize,
}

impl Default for DoorRules {
    fn default() -> Self {
        Self { head: Duration::from_mins(1), connections: 4_096, per_address: 64 }
    }
}

impl DoorRules {
    /// As many from one address as there are.
    pub const PROXIED: usize = usize::MAX;

    /// Whether addresses tell people apart.
    pub(crate) fn by_address(&self) -> bool {
        self.per_address != Self::PROXIED
    }

    /// With no more connections than the process may open files for.
    ///
    /// # Errors
    /// How many files it may open, where that is too few.
    pub(crate) fn within_the_files(mut self) -> Result<Self, usize> {
        let Some(files) = open_files() else { return Ok(self) };
        let left = files.saturating_sub(RESERVED);
        if left < FEWEST {
            return Err(files);
        }
        if left < self.connections {
            tracing::warn!(files, connections = left, "fewer connections than planned, for want of files");
            self.connections = left;
        }
        Ok(self)
    }
}

/// How many files this process may open; none where the system does not say.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Files that a node needs besides connections: log, records, books, index, and the connections that it makes itself.
const RESERVED: usize = 256;
/// With fewer connections a node is of no use.
const FEWEST: usize = 64;
/// When three quarters of the connections are taken, whoever says nothing is shown out after this.
const HURRIED: Duration = Duration::from_secs(5);

/// How requests come in.
pub(crate) enum Doors {
    Plain(TcpListener, Arc<Guests>),
    Secure(TlsListener),
}

/// What came in.
enum Guest {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Takes connections until the node is told to stop, and then waits for the requests that have begun.
pub(crate) async fn serve(
    mut doors: Doors,
    (routes, rules): (Router, DoorRules),
    stopped: watch::Receiver<bool>,
) {
    let turns = Arc::new(Semaphore::new(rules.connections));
    let (mut open, mut stop) = (JoinSet::new(), stopped.clone());
    loop {
        let next = async {
            let turn = Arc::clone(&turns).acquire_owned().await;
            (turn, doors.next().await)
        };
        tokio::select! {
            (turn, (guest, peer, place)) = next => {
                let crowded = turns.available_permits() < rules.connections / 4;
                let head = if crowded { rules.head.min(HURRIED) } else { rules.head };
                let (inside, stopped) = ((routes.clone(), head), stopped.clone());
                open.spawn(async move {
                    let (_turn, _place) = (turn, place);
                    match guest {
                        Guest::Plain(stream) => talk(stream, peer, inside, stopped).await,
                        Guest::Secure(stream) => talk(*stream, peer, inside, stopped).await,
                    }
                });
            }
            Some(_) = open.join_next() => {}
            () = told(&mut stop) => break,
        }
    }
    drop(doors);
    while open.join_next().await.is_some() {}
}

impl Doors {
    /// The doors of a node that speaks TLS, or of one that does not.
    pub(crate) fn open(
        listener: TcpListener,
        tls: Option<&Tls>,
        rules: DoorRules,
    ) -> Result<Self, rustls::Error> {
        let guests = Arc::new(Guests::new(rules.per_address));
        Ok(match tls {
            Some(tls) => Self::Secure(TlsListener::new(listener, tls.server()?, guests)),
            None => Self::Plain(listener, guests),
        })
    }

    async fn next(&mut self) -> (Guest, Peer, Place) {
        match self {
            Self::Plain(listener, guests) => loop {
                match listener.accept().await {
                    Ok((stream, from)) => {
                        let Some(place) = guests.admit(from.ip()) else { continue };
                        // An answer must not wait for the acknowledgement of its beginning.
                        let _ = stream.set_nodelay(true);
                        let peer = Peer { certified: false, address: Some(from.ip()) };
                        return (Guest::Plain(stream), peer, place);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            },
            Self::Secure(listener) => {
                let (stream, peer, place) = listener.next().await;
                (Guest::Secure(Box::new(stream)), peer, place)
            }
        }
    }
}

async fn talk<I>(
    stream: I,
    peer: Peer,
    (routes, head): (Router, Duration),
    mut stopped: watch::Receiver<bool>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    let talking = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(talking);
    let ended = tokio::select! {
        ended = talking.as_mut() => ended,
        () = told(&mut stopped) => {
            talking.as_mut().graceful_shutdown();
            talking.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}
