//! `node`: cards, enrolment, another log, erasing; by the commands of the documents.

use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

struct House(TempDir);

impl House {
    /// A directory, an agency and a witness.
    fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        let url = |host: &str| format!("http://{host}");
        for (folder, role) in [("directory", "directory"), ("police", "agency"), ("oversight", "witness")] {
            let (name, url) = (format!("{folder}.example"), url(folder));
            let mut words = vec!["node", "init", folder, "--role", role, "--name", &name, "--url", &url];
            if role == "agency" {
                words.extend(["--ori", "CA0194200"]);
            }
            assert_eq!(house.run(&words).0, 0, "{folder}");
        }
        house
    }

    /// Exit code, standard output and standard error.
    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let output = Command::cargo_bin("microstamp")
            .unwrap()
            .current_dir(self.0.path())
            .args(words)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn card(&self, folder: &str) -> String {
        let (code, card, remarks) = self.run(&["node", "card", folder]);
        assert!(code == 0 && remarks.contains("fingerprint"), "{remarks}");
        std::fs::write(self.path(&format!("{folder}.card")), &card).unwrap();
        card
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn cards_are_signed_and_what_they_change_is_shown_and_meant() {
    let house = House::new();
    let card = house.card("police");
    house.card("oversight");
    let (code, told, _) =
        house.run(&["node", "enrol", "directory", "police.card", "oversight.card", "--quorum", "1"]);
    assert_eq!(code, 0);
    let lines: Vec<&str> = told.lines().collect();
    let police = "police.example: new, agency at http://police, ORI CA0194200, until ";
    assert!(lines[0].starts_with(police) && lines[0].contains(", fingerprint "), "{told}");
    assert!(
        lines[1].starts_with("oversight.example: new, witness at http://oversight, fingerprint "),
        "{told}"
    );
    assert_eq!(lines[2], "quorum 0 → 1");

    let entries = house.path("directory/node/entries.json");
    let before = read(&entries);
    std::fs::write(house.path("altered.card"), card.replace("http://police", "http://polica")).unwrap();
    let (code, _, error) = house.run(&["node", "enrol", "directory", "altered.card", "--replace"]);
    assert!(code == 2 && error.contains("does not verify"), "{code}: {error}");
    let (code, _, error) = house.run(&["node", "enrol", "directory", "--quorum", "9"]);
    assert!(code == 2 && error.contains("cannot be met"), "{code}: {error}");
    let toml = house.path("police/node/node.toml");
    std::fs::write(&toml, read(&toml).replace("http://police", "http://elsewhere")).unwrap();
    house.card("police");
    let (code, _, error) = house.run(&["node", "enrol", "directory", "police.card"]);
    assert!(code == 4 && error.contains("node.url http://police → http://elsewhere"), "{code}: {error}");
    assert_eq!(read(&entries), before, "nothing was written");
    assert_eq!(house.run(&["node", "enrol", "directory", "police.card", "--replace"]).0, 0);

    // Another under the same ORI: the first one's entry ends before.
    let other = [
        "node",
        "init",
        "sheriff",
        "--role",
        "agency",
        "--name",
        "sheriff.example",
        "--url",
        "http://sheriff",
    ];
    assert_eq!(house.run(&[&other[..], &["--ori", "CA0194200"]].concat()).0, 0);
    house.card("sheriff");
    let (code, _, error) = house.run(&["node", "enrol", "directory", "sheriff.card", "--replace"]);
    assert!(code == 2 && error.contains("police.example and sheriff.example have ORI"), "{code}: {error}");
    let before = read(&entries);
    let (code, told, _) =
        house.run(&["node", "enrol", "directory", "sheriff.card", "--end", "police.example", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["entries"][0]["oris"][0]), (0, &"CA0194200".into()), "{told}");
    std::fs::write(&entries, before).unwrap();

    // The node made anew: its old folder vouches for it.
    let anew =
        ["node", "init", "anew", "--role", "agency", "--name", "police.example", "--url", "http://anew"];
    assert_eq!(house.run(&[&anew[..], &["--ori", "CA0194200"]].concat()).0, 0);
    house.card("anew");
    let (code, _, error) = house.run(&["node", "enrol", "directory", "anew.card", "--replace"]);
    assert!(code == 4 && error.contains("did not sign the card"), "{code}: {error}");
    let (_, card, _) = house.run(&["node", "card", "anew", "--also-by", "police"]);
    std::fs::write(house.path("anew.card"), card).unwrap();
    assert_eq!(house.run(&["node", "enrol", "directory", "anew.card", "--replace"]).0, 0);
}

#[test]
fn nodes_that_nobody_could_reach_or_that_never_could_ask_are_not_made() {
    let house = House::new();
    for (words, expected) in [
        (&["--role", "witness", "--name", "w.example", "--url", "ftp://x"][..], "no address of a node"),
        (&["--role", "witness", "--name", "../../x", "--url", "http://x"], "cannot name a node"),
        (&["--role", "agency", "--name", "a.example", "--url", "http://x"], "--ori"),
    ] {
        let (code, _, error) = house.run(&[&["node", "init", "new"], words].concat());
        assert!(code == 2 && error.contains(expected), "{words:?}: {code}: {error}");
        assert!(!house.path("new").exists(), "{words:?}");
    }
}

/// Nobody gets round the desk by stopping the node.
#[test]
fn a_node_at_which_people_ask_does_not_ask_by_itself() {
    let house = House::new();
    let (_, key, _) = house.run(&["node", "card", "directory"]);
    let directory = "http://directory/directory";
    assert_eq!(house.run(&["node", "trust", "police", "--directory", directory, "--key", key.trim()]).0, 0);
    let ask = [
        "trace",
        "K73MXPKA",
        "--agency",
        "police",
        "--ori",
        "CA0194200",
        "--case",
        "26-0001",
        "--crime-code",
        "0999",
        "--reason",
        "case recovered at a scene",
        "--requester",
        "det. example",
        "--approver",
        "sgt. example",
    ];
    let (code, _, said) = house.run(&ask);
    assert!(code == 4 && said.contains("at this node people ask"), "{code}: {said}");
}

#[cfg(unix)]
#[test]
fn a_node_with_too_few_files_does_not_start() {
    let house = House::new();
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    let command =
        format!("ulimit -n 300; exec '{}' serve --data police --listen 127.0.0.1:0", program.display());
    let output = Command::new("sh").current_dir(house.0.path()).args(["-c", &command]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && error.contains("may open 300 files"), "{error}");
}

/// A process that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_last_operator_is_freed_without_stopping_anything() {
    let house = House::new();
    // Below those that the system gives to whoever asks for any.
    let mut ports = (rand::random_range(12_000_u16..30_000)..)
        .filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let port = ports.next().unwrap();
    let (address, url) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{port}"));
    let toml = house.path("police/node/node.toml");
    std::fs::write(&toml, read(&toml).replace("http://police", &url)).unwrap();
    let (_, key, _) = house.run(&["node", "card", "directory"]);
    let nowhere = "http://127.0.0.1:1/directory";
    assert_eq!(house.run(&["node", "trust", "police", "--directory", nowhere, "--key", key.trim()]).0, 0);
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    let mut serve = std::process::Command::new(program);
    serve.current_dir(house.0.path()).args(["serve", "--data", "police", "--listen", &address]);
    let _running = Running(serve.stderr(std::process::Stdio::null()).spawn().unwrap());
    for _ in 0..1_200 {
        if std::net::TcpStream::connect(&address).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let account = |words: &[&str]| house.run(&[&["account"][..], words, &["--data", "police"]].concat());
    let (code, token, error) = account(&["invite", "op. example", "--roles", "operator"]);
    assert!(code == 0 && token.trim().len() == 64, "{code}: {error}");
    assert_eq!(account(&["invite", "op. example", "--roles", "operator"]).0, 4, "there is one");
    let (code, again, error) = account(&["free", "op. example"]);
    assert!(code == 0 && again.trim().len() == 64 && again != token, "{code}: {error}");
    let (code, _, error) = account(&["confirm", "op. example", "--passkey", "0000 0000"]);
    assert!(code == 4 && error.contains("whoever invited"), "{code}: {error}");
    let (_, list, _) = account(&["list"]);
    assert!(list.starts_with("op. example  operator  invited"), "{list}");
}

#[test]
fn a_log_goes_on_as_another_and_records_go_after_their_time() {
    let house = House::new();
    let invited = house.run(&["account", "invite", "op. example", "--roles", "operator", "--data", "police"]);
    assert_eq!(invited.0, 0, "{}", invited.2);
    let log = |card: &str| {
        let entry: serde_json::Value = serde_json::from_str(card.lines().nth(1).unwrap()).unwrap();
        (entry["node"]["log"].as_str().unwrap().to_owned(), entry["node"]["log_ended"].clone())
    };
    let (before, none) = log(&house.card("police"));
    assert!(none.is_null());
    house.card("oversight");
    assert_eq!(house.run(&["node", "enrol", "directory", "police.card", "oversight.card"]).0, 0);
    let (code, told, error) =
        house.run(&["node", "renew-log", "police", "--reason", "the disk was lost", "--by", "op. example"]);
    assert_eq!(code, 0, "{error}");
    assert!(told.starts_with(&before) && told.contains("goes on from its 1 entries"), "{told}");
    let (after, note) = log(&house.card("police"));
    assert!(told.contains(&after) && note.as_str().unwrap().contains("the disk was lost"), "{note}");
    let (code, _, error) = house.run(&["node", "enrol", "directory", "police.card"]);
    assert!(code == 4 && error.contains("node.log "), "{error}");
    assert_eq!(house.run(&["node", "enrol", "directory", "police.card", "--replace"]).0, 0);
    let whole = |key: &str| house.run(&["audit", "fsck", "police/node", "--key", key]);
    assert_eq!(whole(&after).0, 0, "{:?}", whole(&after));

    for (folder, before, code, words) in [
        ("police", "2999-01-01", 4, "a year or more ago"),
        ("police", "2020-01-02", 2, "the first day of a month"),
        ("nowhere", "2020-01-01", 2, "node.toml"),
    ] {
        let (found, _, error) = house.run(&["node", "erase", folder, "--before", before]);
        assert!(found == code && error.contains(words), "{folder} {before}: {found}: {error}");
        assert!(!error.contains("did not take"), "{error}");
    }
    for days in ["0", "-5", "9223372036854775807"] {
        let (code, _, error) = house.run(&["node", "card", "police", &format!("--days={days}")]);
        assert!(code == 2 && error.contains("1..=36500"), "{days}: {code}: {error}");
    }
    // A record that is taken away without an act is missed.
    let records =
        std::fs::read_dir(house.path("police/node/records")).unwrap().next().unwrap().unwrap().path();
    let text = read(&records);
    std::fs::write(&records, text.split_once('\n').unwrap().1).unwrap();
    let (code, told, _) = whole(&after);
    assert!(
        code == 1 && told.contains("records: 1 are missing that no act erased, the first that of entry 0"),
        "{told}"
    );
}
