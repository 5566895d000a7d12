//! A run that is cut off.

use std::path::Path;
use std::process::{Command, Stdio};

use registry::{Books, Database};

use crate::place::{self, now, run};

const FOLDER: &str = "MICROSTAMP_TEST_ISSUE_FOLDER";
const COUNT: u32 = 150_000;

/// Not a test by itself: the process that `a_killed_run_loses_nothing` kills.
#[test]
fn issue_until_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let books = Books::open(Path::new(&folder), now()).await.unwrap();
        let given = Path::new(&folder).join("given");
        let by = "line 1".parse().unwrap();
        let take = |chunk: &[registry::Issued]| {
            use std::io::Write as _;
            let lines: Vec<String> = chunk
                .iter()
                .map(|one| {
                    format!(
                        "{}	{}
",
                        one.code, one.serial
                    )
                })
                .collect();
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&given).unwrap();
            file.write_all(lines.concat().as_bytes()).unwrap();
        };
        books.issue(&run("A000000", COUNT), &by, now(), take).await.unwrap();
    });
}

#[tokio::test]
async fn a_killed_run_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().join("given");
    Books::create(folder.path(), &place::issuer(Database::Embedded), now()).await.unwrap().close().await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume::issue_until_killed"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = |file: &Path| file.metadata().is_ok_and(|metadata| metadata.len() > 0);
    while !begun(&given) && child.try_wait().unwrap().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let books = Books::open(folder.path(), now()).await.unwrap();
    let text = std::fs::read_to_string(&given).unwrap();
    let before: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    // The kill may have cut the last line.
    let acknowledged = text.matches('\n').count();
    let issued = books.blocks().await.unwrap()[0].issued as usize;
    assert!(issued >= acknowledged, "{acknowledged} were given out, the books know {issued}");

    let mut resumed = run("A000000", COUNT);
    let by = "line 1".parse().unwrap();
    if issued > 0 {
        assert!(books.issue(&resumed, &by, now(), |_| ()).await.is_err(), "without resume it is refused");
    }
    resumed.resume = true;
    let mut all = std::collections::BTreeMap::new();
    let new = books.issue(&resumed, &by, now(), |chunk| {
        all.extend(chunk.iter().map(|one| (one.serial.to_string(), one.code.to_string())));
    });
    assert_eq!(new.await.unwrap() as usize, COUNT as usize - issued);
    for (code, serial) in &before[..acknowledged] {
        assert_eq!(all[*serial], *code, "a code given out before the crash is another one after it");
    }
    let codes: std::collections::BTreeSet<&String> = all.values().collect();
    assert_eq!((all.len(), codes.len()), (COUNT as usize, COUNT as usize));
    let found = books.reconcile().await.unwrap();
    assert!(found.altered.is_empty() && found.unexplained.is_empty() && found.without_effect.len() <= 1);
}
