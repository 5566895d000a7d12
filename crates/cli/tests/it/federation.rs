//! The federation's demonstration: nine processes, a trace, a maker that closes, an auditor.

use assert_cmd::Command;

#[test]
fn the_demonstration_verifies_also_after_a_maker_closed() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("world");
    let output =
        Command::cargo_bin("microstamp").unwrap().args(["federation", "demo"]).arg(&world).output().unwrap();
    let (told, remarks) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && told.starts_with("everything verifies"), "{told}\n{remarks}");
    assert!(remarks.contains("delegated: issuer-k7.example closed"), "{remarks}");
    assert!(!remarks.contains("error:"), "{remarks}");

    // Log and records of each node agree, and books and log of each maker.
    for (path, key) in [("agency/node", None), ("issuer-m2/node", None), ("issuer-m2", Some("keys/log.pub"))]
    {
        let mut fsck = Command::cargo_bin("microstamp").unwrap();
        fsck.args(["audit", "fsck", "--key"]);
        match key {
            Some(key) => fsck.arg(world.join(path).join(key)),
            None => fsck.arg(log_key(&world.join(path))),
        };
        let output = fsck.arg(world.join(path)).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && told.starts_with("whole"), "{path}: {told}");
    }
    // Every answer can be brought to court, although no node runs any more and one maker closed for good.
    let records = records_of(&world.join("agency/node"));
    let answered: Vec<&str> = (records.iter())
        .filter(|record| record["kind"] == "answer")
        .filter_map(|record| record["body"]["question"].as_str())
        .collect();
    assert!(answered.len() >= 4, "{answered:?}");
    for question in answered {
        let mut court = Command::cargo_bin("microstamp").unwrap();
        court.args(["audit", "court", "--question", question, "--agency"]).arg(world.join("agency"));
        let output = court.arg("-o").arg(folder.path().join(format!("{question}.bundle"))).output().unwrap();
        let issuer = records.iter().find(|record| record["body"]["question"] == question).unwrap();
        let remarks = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{} of {question}: {remarks}", issuer["body"]["issuer"]);
    }
    // A record that was altered does not agree any more.
    let records =
        std::fs::read_dir(world.join("agency/node/records")).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&records).unwrap();
    std::fs::write(&records, text.replacen("26-0001", "26-0009", 1)).unwrap();
    let mut fsck = Command::cargo_bin("microstamp").unwrap();
    let node = world.join("agency/node");
    let output = fsck.args(["audit", "fsck", "--key"]).arg(log_key(&node)).arg(&node).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stdout).unwrap().contains("records: 1 are not what the log vouches for")
    );
}

/// What a node's records say.
fn records_of(node: &std::path::Path) -> Vec<serde_json::Value> {
    let months = std::fs::read_dir(node.join("records")).unwrap().map(|month| month.unwrap().path());
    let text: String = months.map(|month| std::fs::read_to_string(month).unwrap()).collect();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|mut line| line["record"].take()).collect()
}

/// The key of a node's log, out of its own folder.
fn log_key(node: &std::path::Path) -> String {
    let data = node.parent().unwrap();
    server::Node::open(data).unwrap().log.verifier().to_string()
}
