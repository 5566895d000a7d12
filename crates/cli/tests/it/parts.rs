//! Marked parts from the shell: keys, signatures, and what is refused.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &str) -> Output {
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    let arguments = arguments.split(' ').map(|word| word.replace('_', " "));
    Command::new(program).current_dir(folder).env("USER", "clerk").args(arguments).output().unwrap()
}

fn done(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &str, exit: i32) -> String {
    let output = run(folder, arguments);
    let remarks = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{arguments}: {remarks}");
    remarks
}

const LICENCE: &str = "1-23-456-78-9A-12345";
const FIRST: &str = "--registry k7 --model M9 --serial A00001";
const DEALER: &str = "1-23-456-01-9A-33333";

fn books() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), &format!("issuer init k7 --prefix K7 --name Example_Arms --licence {LICENCE}"));
    let issue =
        "issue --registry k7 --model M9 --calibre 9mm --first A00001 --count 2 --made-on 2024-01-02 --json";
    let line: serde_json::Value =
        serde_json::from_str(done(folder.path(), issue).lines().next().unwrap()).unwrap();
    (folder, line["code"].as_str().unwrap().replace(' ', ""))
}

#[test]
fn a_gunsmith_signs_and_the_clerk_enters() {
    let (folder, code) = books();
    let folder = folder.path();
    let key = done(folder, "part key new bench.key --name corner-guns.example/bench");
    let key = key.trim();
    let add = format!(
        "part key add --registry k7 {key} --licence {DEALER} --name Corner_Guns --kind gunsmith --until 2099-12-31"
    );
    let shown: serde_json::Value = serde_json::from_str(&done(folder, "issuer show k7 --json")).unwrap();
    let books = shown["books"].as_str().unwrap();
    let spare = done(folder, "part spare --registry k7 --part firing-pin");
    let (spare, _) = spare.split_once("  ").unwrap();
    let sign = format!(
        "part sign --key bench.key --books {books} --licence {LICENCE} --model M9 --serial A00001 --by-licence {DEALER} \
         --by-name Corner_Guns --part firing-pin --removed {code} --fitted {} -o change.note",
        spare.replace(' ', "")
    );
    done(folder, &sign);
    let enter = "part enter --registry k7 change.note";
    assert!(refused(folder, enter, 4).contains("no key corner-guns.example/bench+"));
    done(folder, &add);
    let note = std::fs::read_to_string(folder.join("change.note")).unwrap();
    std::fs::write(folder.join("altered.note"), note.replace("A00001", "A00002")).unwrap();
    assert!(
        refused(folder, "part enter --registry k7 altered.note", 4).contains("the statement was altered")
    );
    std::fs::write(folder.join("broken.note"), &note[1..]).unwrap();
    assert!(refused(folder, "part enter --registry k7 broken.note", 2).contains("cannot be taken"));
    // By the book the firearm never left its maker.
    assert!(refused(folder, enter, 4).contains("the book has it with Example Arms"));
    done(folder, &format!("dispose {FIRST} --to-licence {DEALER} --to-name Corner_Guns --on 2024-02-01"));
    assert_eq!(done(folder, enter), "entry 4\nentry 5\n");
    assert!(refused(folder, enter, 4).contains("entered before"));
    let book = done(folder, &format!("book {FIRST}"));
    assert_eq!(book.matches("[signed corner-guns.example/bench+").count(), 2, "{book}");
    assert!(book.contains(", gunsmith]"), "{book}");
    let listed = done(folder, "part key list --registry k7");
    assert!(listed.contains("gunsmith  Corner Guns") && !listed.contains("revoked"), "{listed}");
    done(folder, "part key revoke --registry k7 corner-guns.example/bench --reason burgled_in_March");
    assert!(done(folder, "part key list --registry k7").contains("burgled in March"));
    done(folder, &sign);
    assert!(refused(folder, enter, 4).contains("was revoked at"));
    done(folder, "issuer check k7");
}

#[test]
fn nobody_enters_the_work_of_others_unsigned() {
    let (folder, code) = books();
    let folder = folder.path();
    let other = format!("--holder-licence {DEALER} --holder-name Corner_Guns");
    let removed = format!("part removed {FIRST} --part firing-pin --code {code}");
    assert!(refused(folder, &format!("{removed} {other}"), 4).contains("must sign it"));
    done(folder, &removed);
    let new = done(folder, &format!("part replace {FIRST} --part firing-pin"));
    assert!(new.ends_with("A00001  firing-pin\n"), "{new}");
    let book = done(folder, &format!("book {FIRST}"));
    assert_eq!(book.matches("[signed microstamp/issuer/K7/certificates+").count(), 2, "{book}");
    done(folder, "issuer check k7");
}

#[test]
fn a_loss_is_reported_by_whom_it_concerns() {
    let (folder, _) = books();
    let folder = folder.path();
    done(folder, &format!("dispose {FIRST} --form-4473 T-1 --on 2024-02-01"));
    let theft = format!("theft {FIRST} --incident I-1 --on 2024-03-01");
    assert!(refused(folder, &theft, 4).contains("it was sold at retail on 2024-02-01"));
    done(folder, &format!("{theft} --reported-by Example_Police --police-report P-9"));
    assert!(
        done(folder, &format!("book {FIRST}")).contains("theft incident I-1, reported by Example Police")
    );
    done(
        folder,
        &format!("theft {FIRST} --incident I-1 --on 2024-04-01 --recovered --reported-by Example_Police"),
    );
}

#[test]
fn many_at_once_write_one_after_the_other() {
    let (folder, _) = books();
    let folder = folder.path();
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    for round in 0..3 {
        let serial = if round == 0 { "A00001" } else { "A00002" };
        let start = |incident: usize| {
            let arguments =
                format!("theft --registry k7 --model M9 --serial {serial} --incident I-{round}{incident}");
            Command::new(&program).current_dir(folder).args(arguments.split(' ')).output()
        };
        let ends: Vec<Output> = std::thread::scope(|scope| {
            let started: Vec<_> =
                (0..4).map(|incident| scope.spawn(move || start(incident).unwrap())).collect();
            started.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let exits: Vec<_> = ends.iter().map(|end| end.status.code().unwrap()).collect();
        let told: Vec<_> = ends.iter().map(|end| String::from_utf8_lossy(&end.stderr)).collect();
        let wins = usize::from(round < 2);
        assert_eq!(exits.iter().filter(|exit| **exit == 0).count(), wins, "{told:?}");
        // The others are told that it is missing already, or that another writes.
        assert!(exits.iter().all(|exit| [0, 3, 4].contains(exit)), "{exits:?} {told:?}");
        assert!(!told.iter().any(|text| text.contains("damaged")), "{told:?}");
        done(folder, "issuer check k7");
    }
    let key = std::fs::read_to_string(folder.join("k7/keys/log.pub")).unwrap();
    let fsck = format!("audit fsck k7 --key {}", key.trim());
    assert!(done(folder, &fsck).starts_with("whole: "));
    // Tables and log agree: what is deleted from the tables is found by `audit fsck` as well.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = format!("sqlite:{}", folder.join("k7/books.sqlite").display());
        let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
        sqlx::query("DELETE FROM code").execute(&pool).await.unwrap();
        pool.close().await;
    });
    let output = run(folder, &fsck);
    let found = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert!(found.contains("the table has 0 codes; 2 were issued"), "{found}");
}
