//! The door of a node: whoever is slow with a header is shown out, and there are so many connections and no more.

use std::time::Duration;

use server::{DoorRules, NodeRole, ServeOptions, Server};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{listener, node};

const WHOLE: &[u8] = b"GET /card HTTP/1.1\r\nhost: x\r\n\r\n";
/// Long enough for whatever is to happen.
const SOON: Duration = Duration::from_secs(20);

async fn serve(header: Duration) -> (TempDir, Server) {
    let root = tempfile::tempdir().unwrap();
    let parts = listener();
    node(root.path(), NodeRole::Directory, "directory.example", &parts.url);
    let options =
        ServeOptions { door: DoorRules { head: header, connections: 1 }, ..ServeOptions::default() };
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
