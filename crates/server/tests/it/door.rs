//! The door of a node: whoever is slow with a header is shown out, and there are so many connections and no more.

use std::net::SocketAddr;
use std::time::Duration;

use server::{DoorRules, NodeRole, ServeOptions, Server};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::world::{listener, node, until};

const WHOLE: &[u8] = b"GET /card HTTP/1.1\r\nhost: x\r\n\r\n";
/// Long enough for whatever is to happen.
const SOON: Duration = Duration::from_secs(20);

async fn serve(header: Duration) -> (TempDir, Server) {
    serve_by(DoorRules { head: header, connections: 1, ..DoorRules::default() }).await
}

async fn serve_by(door: DoorRules) -> (TempDir, Server) {
    let root = tempfile::tempdir().unwrap();
    let parts = listener();
    node(root.path(), NodeRole::Directory, "directory.example", &parts.url);
    let options = ServeOptions { door, ..ServeOptions::default() };
    let server = Server::start(root.path(), parts.listener, options).await.unwrap();
    (root, server)
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let read = timeout(SOON, stream.read(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_header_ends_and_makes_room() {
    let (_root, server) = serve(Duration::from_millis(300)).await;
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(&WHOLE[..20]).await.unwrap();
    let mut next = TcpStream::connect(server.address()).await.unwrap();
    next.write_all(WHOLE).await.unwrap();
    let mut rest = Vec::new();
    let ended = timeout(SOON, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "half a header holds a connection for ever");
    assert!(answer(&mut next).await.starts_with("HTTP/1.1 200"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted() {
    let (_root, server) = serve(Duration::from_mins(5)).await;
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    first.write_all(WHOLE).await.unwrap();
    assert!(answer(&mut first).await.starts_with("HTTP/1.1 200"));
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    second.write_all(WHOLE).await.unwrap();
    for _ in 0..20 {
        first.write_all(WHOLE).await.unwrap();
        assert!(answer(&mut first).await.starts_with("HTTP/1.1 200"));
    }
    assert!(second.try_read(&mut [0]).is_err(), "it waits outside");
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"), "there is room");
    drop(second);
    server.stop().await;
}

/// A connection from one of the addresses of this machine.
async fn from(address: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_its_share_and_no_more() {
    let rules = DoorRules { head: Duration::from_mins(5), connections: 8, per_address: 3 };
    let (_root, server) = serve_by(rules).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(from([127, 0, 0, 1], server.address()).await);
    }
    let mut turned_away = from([127, 0, 0, 1], server.address()).await;
    let _ = turned_away.write_all(WHOLE).await;
    let ended = timeout(SOON, turned_away.read(&mut [0; 16])).await.expect("it is shown out at once");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    let mut other = from([127, 0, 0, 2], server.address()).await;
    other.write_all(WHOLE).await.unwrap();
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 200"), "others are served");
    // One that ends makes room for the next from there.
    drop(silent.pop());
    until("there is room again", async || {
        let mut next = from([127, 0, 0, 1], server.address()).await;
        let (mut heard, asked) = ([0; 12], next.write_all(WHOLE).await);
        asked.is_ok() && next.read_exact(&mut heard).await.is_ok() && heard == *b"HTTP/1.1 200"
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_goes_soon_when_it_is_crowded() {
    let rules = DoorRules { head: Duration::from_mins(5), connections: 8, per_address: 8 };
    let (_root, server) = serve_by(rules).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(server.address()).await.unwrap());
    }
    let mut next = from([127, 0, 0, 2], server.address()).await;
    next.write_all(WHOLE).await.unwrap();
    assert!(answer(&mut next).await.starts_with("HTTP/1.1 200"), "the last to come had five seconds");
    server.stop().await;
}
