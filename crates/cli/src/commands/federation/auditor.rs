//! An auditor checks everything: the court bundle offline, every log under its witnesses' policy, those of running nodes over the
//! network.

use std::path::{Path, PathBuf};

use server::{Node, NodeRole};

use super::{NODES, Running, World, run};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files::{self, remark};

/// Checks bundle and logs, and that an altered bundle is caught.
pub(super) fn audit(dir: &Path, world: &World, running: &Running, bundle: &Path) -> Result<Exit, Failure> {
    remark("7. An auditor verifies the court bundle offline, trusting the directory's key alone:");
    let path = bundle.display().to_string();
    let (whole, words) = run(&["audit", "verify", &path, "--key", &world.key])?;
    words.lines().for_each(|line| remark(format!("     {line}")));
    let mut bytes = files::read(bundle)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let altered = dir.join("court.altered");
    files::write(&altered, &bytes)?;
    let (caught, words) = run(&["audit", "verify", &altered.display().to_string(), "--key", &world.key])?;
    remark(format!("8. With byte {middle} changed: {}", words.trim()));
    remark("9. Every log is whole, and two of three witnesses cosigned it:");
    let mut broken = Vec::new();
    for (name, role, _) in NODES {
        if role != NodeRole::Witness && !log_is_whole(dir, world, running, name)? {
            broken.push(name);
        }
    }
    let done = whole == 0 && caught == 1 && broken.is_empty();
    files::print_line(format!(
        "{}: {}",
        if done { "everything verifies" } else { "something does not verify" },
        dir.display()
    ))?;
    remark(format!("   Look at {path}, and check it again with:"));
    remark(format!("   microstamp audit verify {path} --key {}", dir.join("directory.pub").display()));
    Ok(if done { Exit::Done } else { Exit::Negative })
}

/// A node's log, in its folder with the records beside it, and as it serves it where it runs.
fn log_is_whole(dir: &Path, world: &World, running: &Running, name: &str) -> Result<bool, Failure> {
    let node = Node::open(&dir.join(name)).or_exit(Exit::Environment, name)?;
    let policy = policy(dir, &node)?.display().to_string();
    let folder = dir.join(name).join("node/log").display().to_string();
    let (mut exit, words) = run(&["audit", "fsck", &folder, "--policy", &policy])?;
    remark(format!("   {name}: {}", words.lines().collect::<Vec<_>>().join("; ")));
    if running.has(name) {
        let (address, pin) = (format!("{}/log", world.url(name)), node.card().tls.unwrap_or_default());
        let (served, words) = run(&["audit", "fsck", &address, "--policy", &policy, "--pin", &pin])?;
        remark(format!("   {address}: {}", words.lines().next().unwrap_or_default()));
        exit = exit.max(served);
    }
    Ok(exit == 0)
}

/// The node's log and the three witnesses, of whom two must have signed with both their keys, as a C2SP `tlog-policy` file.
fn policy(dir: &Path, node: &Node) -> Result<PathBuf, Failure> {
    let mut text = format!("log {}\n", node.log.verifier());
    let mut names = Vec::new();
    for (name, role, _) in NODES {
        if role == NodeRole::Witness {
            let card = Node::open(&dir.join(name)).or_exit(Exit::Environment, name)?.witness_card();
            let second = card.key_ml_dsa_44.unwrap_or_default();
            text.extend(["witness ", name, " ", &card.key, "\n"]);
            text.extend(["witness ", name, "-ml-dsa-44 ", &second, "\n"]);
            text.extend(["group ", name, "-both all ", name, " ", name, "-ml-dsa-44\n"]);
            names.push(format!("{name}-both"));
        }
    }
    text.extend(["group two 2 ", &names.join(" "), "\nquorum two\n"]);
    let file = dir.join(format!("{}.policy", node.config.name));
    files::write(&file, text.as_bytes())?;
    Ok(file)
}
