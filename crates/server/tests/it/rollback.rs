//! Logs that are put back, and witnesses that are away.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use server::roles::{Agency, AskError, Asked};
use server::{ServeOptions, Server};
use symbology::Code;
use transparency::SignedCheckpoint;

use crate::world::{World, question};

async fn ask(agency: &Agency, code: Code) -> Result<Asked, AskError> {
    agency.ask(&question(&[(code, 1.0)])).await.unwrap().remove(0)
}

/// Waits until something holds; so long that it holds then or never.
async fn until<T: AsyncFnMut() -> bool>(what: &str, mut holds: T) {
    for _ in 0..100 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{what}");
}

async fn cosigned(world: &World, size: u64) {
    let url = format!("{}/log/cosigned", world.node("issuer").config.url);
    until("the log is cosigned", async || {
        let (status, bytes) = world.client.get(&url).await.unwrap();
        status == 200 && SignedCheckpoint::parse(&bytes).unwrap().checkpoint.size >= size
    })
    .await;
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_log_was_put_back_answers_nothing() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    ask(&agency, world.codes[0]).await.unwrap();
    cosigned(&world, 2).await;
    let (folder, older) = (world.path("issuer").join("node"), world.path("older"));
    let listener = world.stop_for_a_while("issuer").await;
    copy(&folder, &older);
    world.serve("issuer", listener).await;
    ask(&agency, world.codes[1]).await.unwrap();
    cosigned(&world, 4).await;
    // The node's own note of what was cosigned keeps it from starting.
    let listener = world.stop_for_a_while("issuer").await;
    let note = std::fs::read(folder.join("cosigned")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    copy(&older, &folder);
    let before = std::fs::read(folder.join("cosigned")).unwrap();
    std::fs::write(folder.join("cosigned"), note).unwrap();
    let options = ServeOptions { clock: world.clock.clone(), ..ServeOptions::default() };
    let again = listener.try_clone().unwrap();
    let refused = Server::start(&world.path("issuer"), listener, options).await.unwrap_err();
    assert!(refused.to_string().contains("put back"), "{refused}");
    // Without it the witnesses tell, before anything is answered.
    std::fs::write(folder.join("cosigned"), before).unwrap();
    world.serve("issuer", again).await;
    let url = format!("{}/healthz", world.node("issuer").config.url);
    let (status, health) = world.client.get(&url).await.unwrap();
    let health: Value = serde_json::from_slice(&health).unwrap();
    assert_eq!((status, &health["impaired"]), (503, &json!(["log"])), "{health}");
    let refused = ask(&agency, world.codes[0]).await.unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 503, .. }), "{refused}");
    assert!(world.metrics("issuer").await.contains("microstamp_impaired{part=\"log\"} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_away_is_not_counted() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let count = async |world: &World| -> i64 {
        let metrics = world.metrics("issuer").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("microstamp_witnesses_cosigned "));
        line.map_or(-1, |count| count.parse().unwrap())
    };
    ask(&agency, world.codes[0]).await.unwrap();
    until("three cosign", async || count(&world).await == 3).await;
    world.stop("makers").await;
    ask(&agency, world.codes[1]).await.unwrap();
    until("two cosign", async || count(&world).await == 2).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(count(&world).await, 2, "also when the log does not grow");
}
