//! A server's side: handshakes run beside each other, and what has shaken hands is served.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::guests::{Guests, Place};

/// Time for a handshake.
const TIME: Duration = Duration::from_secs(10);
/// Handshakes at once.
const AT_ONCE: usize = 512;

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Whether it showed a certificate; one that is not known does not get this far.
    pub(crate) certified: bool,
    /// Where it is.
    pub(crate) address: Option<IpAddr>,
}

/// A listener of TLS connections.
pub(crate) struct TlsListener {
    ready: mpsc::Receiver<(TlsStream<TcpStream>, Peer, Place)>,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    pub(crate) fn new(listener: TcpListener, config: Arc<rustls::ServerConfig>, guests: Arc<Guests>) -> Self {
        let (hand_over, ready) = mpsc::channel(AT_ONCE);
        let accepting = tokio::spawn(accept((listener, guests), TlsAcceptor::from(config), hand_over));
        Self { ready, accepting }
    }

    /// The next connection that has shaken hands.
    pub(crate) async fn next(&mut self) -> (TlsStream<TcpStream>, Peer, Place) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    (listener, guests): (TcpListener, Arc<Guests>),
    acceptor: TlsAcceptor,
    hand_over: mpsc::Sender<(TlsStream<TcpStream>, Peer, Place)>,
) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Before the handshake, which costs more here than there.
        let Some(place) = guests.admit(address.ip()) else { continue };
        let (acceptor, hand_over) = (acceptor.clone(), hand_over.clone());
        tokio::spawn(async move {
            let _turn = turn;
            let _ = stream.set_nodelay(true);
            match tokio::time::timeout(TIME, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let certified = stream.get_ref().1.peer_certificates().is_some();
                    let peer = Peer { certified, address: Some(address.ip()) };
                    let _ = hand_over.send((stream, peer, place)).await;
                }
                Ok(Err(error)) => tracing::warn!(peer = %address, %error, "no handshake"),
                Err(_) => tracing::warn!(peer = %address, "a handshake took too long"),
            }
        });
    }
}
