//! A full disk and a folder that cannot be written: refused with exit code 3, nothing half done, and all is well after.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const ISSUE: &str = "issue --registry k7 --model M9 --calibre 9mm --json";

/// Runs a shell command in a folder; `microstamp` in it is the program.
fn shell(folder: &Path, command: &str) -> Output {
    let program = assert_cmd::cargo::cargo_bin("microstamp");
    let command = command.replace("microstamp", &format!("'{}'", program.display()));
    Command::new("sh").arg("-c").arg(command).current_dir(folder).env("USER", "clerk").output().unwrap()
}

fn done(folder: &Path, command: &str) -> String {
    let output = shell(folder, command);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, command: &str) -> String {
    let output = shell(folder, command);
    let remarks = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{command}: {remarks}");
    assert!(output.stdout.is_empty(), "{command} gave something out: {:?}", output.stdout);
    assert!(remarks.starts_with("error: "), "{remarks}");
    remarks
}

fn books() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), "microstamp issuer init k7 --prefix K7 --name 'Example Arms (synthetic)'");
    done(folder.path(), &format!("microstamp {ISSUE} --first A0001 --count 10"));
    folder
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let folder = books();
    let folder = folder.path();
    // No file may grow past 1 MiB; the program does not die of the signal, but is told as it is by a full disk.
    let full = format!("ulimit -f 2048; exec microstamp {ISSUE} --first B00001 --count 30000");
    refused(folder, &full);
    done(folder, "microstamp issuer check k7");
    let shown: Value = serde_json::from_str(&done(folder, "microstamp issuer show k7 --json")).unwrap();
    assert_eq!(shown["issued"], 10, "nothing of the run took effect");
    let again = done(folder, &format!("microstamp {ISSUE} --first B00001 --count 100"));
    assert_eq!(again.lines().count(), 100);
    done(folder, "microstamp issuer check k7");
}

#[test]
fn where_nothing_can_be_written_that_is_said() {
    let folder = books();
    let folder = folder.path();
    for format in ["csv", "epcis"] {
        let full =
            refused(folder, &format!("microstamp export --registry k7 --format {format} -o - > /dev/full"));
        assert!(full.contains("the table cannot be read or written: No space left on device"), "{full}");
    }
    // No file may grow past 2 KiB: neither the books nor a table.
    let which = "--registry k7 --model M9 --serial A0001 --form-4473 T-1";
    let full = refused(folder, &format!("ulimit -f 4; exec microstamp dispose {which}"));
    assert!(full.contains("nothing was done") || full.contains("failed while trying"), "{full}");
    done(folder, "microstamp issuer check k7");
    done(folder, &format!("microstamp dispose {which}"));
}

#[test]
fn what_is_there_already_is_not_made() {
    let folder = books();
    let folder = folder.path();
    std::fs::create_dir(folder.join("copy")).unwrap();
    let again = ["issuer init k7 --prefix K8 --name Other", "issuer backup k7 copy"];
    done(folder, "microstamp issuer backup k7 first");
    for command in again.into_iter().chain(["issuer restore first k7"]) {
        let output = shell(folder, &format!("microstamp {command}"));
        let remarks = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {remarks}");
        assert!(remarks.contains("name what is not there yet"), "{remarks}");
    }
    done(folder, "microstamp issuer check k7");
    assert_eq!(done(folder, "ls copy"), "");
}

#[test]
fn a_folder_that_cannot_be_written_answers_nothing() {
    let folder = books();
    let folder = folder.path();
    let first: Value =
        serde_json::from_str(done(folder, &format!("microstamp {ISSUE} --first C1 --count 1")).trim())
            .unwrap();
    let root = done(folder, "id -u").trim() == "0";
    // Root may write everywhere, so the program runs as somebody else.
    let other = if root { "setpriv --reuid=65534 --regid=65534 --clear-groups " } else { "" };
    if root && !shell(folder, &format!("{other} test -x microstamp")).status.success() {
        eprintln!("setpriv is missing or the program is not readable for others: not tested as root");
        return;
    }
    let shut =
        if root { "chmod 755 . && chown -R 65534:65534 k7 && chmod -R a-w k7" } else { "chmod -R a-w k7" };
    done(folder, shut);
    refused(folder, &format!("{other} microstamp {ISSUE} --first D1 --count 1"));
    let code = first["code"].as_str().unwrap();
    let question = "--local k7 --ori CA0194200 --case 26-0001 --reason 'case recovered at a scene'";
    refused(folder, &format!("{other} microstamp trace '{code}' {question}"));
    done(folder, "chmod -R u+w k7");
    done(folder, "microstamp issuer check k7");
    done(folder, &format!("microstamp trace '{code}' {question}"));
}

#[test]
fn a_copy_is_put_back_with_its_blocks_closed() {
    let folder = books();
    let folder = folder.path();
    done(folder, "microstamp issuer backup k7 copy");
    done(folder, "cd copy && sha256sum --check --quiet SHA256SUMS");
    done(folder, "microstamp issuer restore copy again");
    let shown: Value = serde_json::from_str(&done(folder, "microstamp issuer show again --json")).unwrap();
    assert_eq!(shown["left"], 0, "codes could be issued twice");
    // How its log ended can be checked with the key of the log before, and with no other.
    done(folder, "microstamp issuer backup again second && microstamp issuer restore second third");
    for (note, key) in [("log.ended.1", "k7"), ("log.ended", "again")] {
        let told =
            done(folder, &format!("microstamp audit verify third/keys/{note} --key {key}/keys/log.pub"));
        assert!(told.starts_with("verified: signed by microstamp/issuer/K7"), "{told}");
        assert!(told.contains("because the books were put back from a copy"), "{told}");
    }
    let other = shell(folder, "microstamp audit verify third/keys/log.ended --key k7/keys/log.pub");
    assert_eq!(other.status.code(), Some(1));
    let forged = "sed s/copy/disk/ third/keys/log.ended > forged; microstamp audit verify forged --key again/keys/log.pub";
    assert_eq!(shell(folder, forged).status.code(), Some(1));
    done(folder, "microstamp audit fsck third && rm third/keys/log.ended.1");
    let missing = shell(folder, "microstamp issuer check third");
    assert_eq!(missing.status.code(), Some(1), "{}", String::from_utf8_lossy(&missing.stdout));
    // As they were books go on with a copy that closed them, in one place.
    let says_no = |command: &str| assert_eq!(shell(folder, command).status.code(), Some(4), "{command}");
    says_no("microstamp issuer restore copy latest --latest");
    done(folder, "microstamp issuer backup k7 last --and-close");
    says_no(&format!("microstamp {ISSUE} --first E1 --count 1"));
    done(folder, "microstamp issuer restore last latest --latest && microstamp issuer check latest");
    says_no("microstamp issuer restore last more --latest");
    done(folder, "microstamp issuer check k7 && microstamp audit fsck latest");
}

#[test]
fn an_heir_is_not_told_to_open_blocks() {
    let folder = books();
    let folder = folder.path();
    done(folder, "microstamp issuer successor-key heir.key > heir.pub");
    done(folder, "microstamp issuer hand-over k7 --to \"$(cat heir.pub)\" -o bundle");
    done(
        folder,
        "microstamp issuer take-over bundle taken --identity heir.key --log-key \"$(cat k7/keys/log.pub)\"",
    );
    done(folder, "microstamp issuer backup taken copy");
    let put_back = shell(folder, "microstamp issuer restore copy again");
    let remarks = String::from_utf8_lossy(&put_back.stderr);
    assert!(put_back.status.success() && !remarks.contains("add-prefix"), "{remarks}");
    assert!(remarks.contains("the log goes on under another name"), "{remarks}");
    assert_ne!(done(folder, "cat again/keys/log.pub"), done(folder, "cat taken/keys/log.pub"));
    // Nor of the heir of books whose blocks are closed.
    done(folder, "rm -rf k7 && mkdir all && mv bundle* heir.key taken copy again all");
    done(folder, "microstamp issuer init k7 --prefix K7 --name 'Example Arms (synthetic)'");
    done(folder, "microstamp issuer backup k7 copy && microstamp issuer restore copy closed");
    done(folder, "microstamp issuer hand-over closed --to \"$(cat heir.pub)\" -o bundle");
    done(folder, "microstamp issuer take-over bundle taken --identity all/heir.key");
    let refused = shell(folder, &format!("microstamp {} --first Z1 --count 1", ISSUE.replace("k7", "taken")));
    let remarks = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(4) && remarks.contains("taken over from another"), "{remarks}");
    done(folder, "microstamp issuer check all/again && microstamp issuer check all/taken");
}

#[test]
fn a_round_leads_to_the_sale_of_its_box() {
    let folder = books();
    let folder = folder.path();
    let lot = "--product 'Range 124 gr' --lot 24-117 --calibre '9 mm Luger' --first BX0001 --count 3 --json";
    let printed =
        done(folder, &format!("microstamp ammunition issue --registry k7 {lot} --made-on 2024-01-02"));
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    let which = "--registry k7 --model 'Range 124 gr lot 24-117' --serial BX0001";
    done(folder, &format!("microstamp dispose {which} --sale S-17 --on 2024-04-01"));
    let code = first["code"].as_str().unwrap();
    let question = "--local k7 --ori CA0194200 --case 26-0001 --reason 'round recovered at a scene'";
    let approved = "--requester 'det. example' --approver 'sgt. example'";
    let asking = format!("microstamp trace '{code}' --scheme round-1 {question} {approved}");
    let first: Value = serde_json::from_str(&done(folder, &format!("{asking} --json"))).unwrap();
    let text =
        done(folder, &format!("{asking} --after {} --second-approver 'lt. example'", first["question"]));
    assert!(
        text.contains("box BX0001 of Range 124 gr lot 24-117") && text.contains("sale record S-17"),
        "{text}"
    );
    let wrong = shell(folder, &format!("microstamp trace '{code}' {question}"));
    assert_eq!(wrong.status.code(), Some(2), "a round is not read as a firearm");
}
