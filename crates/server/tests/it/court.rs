//! The court bundle verifies offline, and every single-byte change is caught.

use server::{CourtBundle, CourtError};

use crate::world::{World, question};

#[tokio::test(flavor = "multi_thread")]
async fn the_court_bundle_verifies_and_every_changed_byte_is_caught() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let asked = question(&[(world.codes[0], 0.9999)]);
    agency.ask(&asked).await.unwrap().remove(0).unwrap();
    let mut bundle = Err(CourtError { part: "bundle", reason: String::new() });
    for _ in 0..40 {
        bundle = agency.court_bundle(asked.id, None).await;
        if bundle.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    let file = bundle.unwrap().to_string().into_bytes();
    let root = world.node("directory").statements.verifier().clone();
    let report = CourtBundle::parse(&file).unwrap().verify(&root).unwrap();
    assert_eq!(report.question, asked);
    assert_eq!((report.agency.as_str(), report.answer.issuer.as_str()), ("agency.example", "issuer.example"));
    assert!(report.issuer_log.witnesses.len() >= 2 && report.agency_log.witnesses.len() >= 2);

    let stranger = world.node("issuer").statements.verifier().clone();
    assert!(CourtBundle::parse(&file).unwrap().verify(&stranger).is_err());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|threads| {
        for first in 0..cores {
            let (file, root) = (&file, &root);
            threads.spawn(move || {
                for at in (first..file.len()).step_by(cores) {
                    let mut altered = file.clone();
                    altered[at] ^= 1;
                    let verdict = CourtBundle::parse(&altered).and_then(|bundle| bundle.verify(root));
                    assert!(verdict.is_err(), "byte {at} of {} can be changed", file.len());
                }
            });
        }
    });
    assert!(CourtBundle::parse(&file[..file.len() - 1]).is_err());
    second_opinion(&file, &root.to_string());
}

/// A verifier in another language, from the specifications alone, agrees.
fn second_opinion(file: &[u8], key: &str) {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/independent/court.py");
    let verdict = |bytes: &[u8]| {
        let path = folder.path().join("court.bundle");
        std::fs::write(&path, bytes).unwrap();
        std::process::Command::new("python3").arg(script).arg(&path).arg(key).output().unwrap()
    };
    let good = verdict(file);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for at in (0..file.len()).step_by(file.len() / 12) {
        let mut altered = file.to_vec();
        altered[at] ^= 1;
        assert!(!verdict(&altered).status.success(), "byte {at} can be changed");
    }
}
