//! `audit`: checks a log and the evidence out of it, trusting nobody but the keys that are given.

mod directory;
mod pack;
mod source;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use server::Ledger;
use transparency::{
    Approval, Bundle, Checkpoint, EntryProof, Finding, LogError, Policy, SignedCheckpoint, VerifierKey, fsck,
    watch,
};

use self::source::Place;
use super::books::{failure, open_to_read, wait};
use super::{court, statement};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check evidence offline (a bundle, a proof, a certificate, a signed statement), or the newest checkpoint of a log.
    Verify(Verify),
    /// Check that a log extends what was seen before, and remember what was seen now.
    Watch(Watch),
    /// Read a whole log and check every entry, tile and signature; with them the tables of an issuer's folder, and the records
    /// beside a node's log.
    Fsck(Fsck),
    /// Pack entries with their records, salts and proofs into one file that verifies offline.
    Bundle(pack::Pack),
    /// Collect what a court needs of a question that went through the federation, from both logs, into one file.
    Court(court::Court),
    /// Walk the versions of a directory, print what each changed, and find those that its log holds and nobody shows.
    Directory(directory::Directory),
}

/// Whom to trust. Without either, the key in the issuer's own folder is used.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// A C2SP tlog-policy file: known logs, witnesses, and the quorum.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    policy: Option<PathBuf>,
    /// The log's verifier key `name+hash+base64`, or a file that holds it; no witness is asked for. For a court bundle
    /// the directory's key, whose witnesses and quorum then count.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// For an https address: SHA-256 of the public key of the server's certificate, 64 hexadecimal digits, as the node's card and
    /// the directory say it (`tls`).
    #[arg(long, value_name = "PIN", value_parser = pin)]
    pin: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A bundle, a court bundle, a `.tlog-proof`, a certificate, a signed change of parts, the note on a log that ended, the
    /// folder of a log, or the address under which a node serves it. For the signed ones --key is the signer's.
    #[arg(value_name = "FILE|DIR|URL")]
    pub(super) path: PathBuf,
    /// For a certificate: the issuer's log key, to check the proof as well.
    #[arg(long, value_name = "KEY", requires = "key")]
    pub(super) log_key: Option<String>,
    /// For a certificate: its proof [default: FILE.proof beside it].
    #[arg(long, value_name = "FILE", requires = "log_key")]
    pub(super) proof: Option<PathBuf>,
    /// For a court bundle: the key of a witness that you know, or a file that holds it; may be repeated. One of them must have cosigned
    /// each of its logs.
    #[arg(long, value_name = "KEY", requires = "key")]
    pub(super) witness: Vec<String>,
    #[command(flatten)]
    pub(super) trust: Trust,
    /// Print one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
struct Watch {
    /// The folder of a log, an issuer's folder, or the address under which a node serves its log (http or https).
    #[arg(value_name = "DIR|URL")]
    log: Place,
    /// Where the last checkpoint seen is kept. Keep it out of the log's reach.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    #[command(flatten)]
    trust: Trust,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Fsck {
    /// The folder of a log, an issuer's folder, whose tables are then compared with the log as well, or the address under which
    /// a node serves its log (http or https).
    #[arg(value_name = "DIR|URL")]
    log: Place,
    /// A checkpoint seen before, one's own or a witness's; may be repeated.
    #[arg(long, value_name = "FILE")]
    remembered: Vec<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `audit`.
pub(crate) fn audit(arguments: &Audit) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Verify(arguments) => verify(arguments),
        What::Watch(arguments) => watch_log(arguments),
        What::Fsck(arguments) => check_all(arguments),
        What::Bundle(arguments) => pack::pack(arguments),
        What::Court(arguments) => court::court(arguments),
        What::Directory(arguments) => directory::directory(arguments),
    }
}

fn verify(arguments: &Verify) -> Result<Exit, Failure> {
    if arguments.path.is_file() {
        let bytes = files::read(&arguments.path)?;
        if bytes.starts_with(court::HEADER) {
            let witnesses =
                arguments.witness.iter().map(|key| key_or_file(key)).collect::<Result<Vec<_>, _>>()?;
            return court::verify(&bytes, (&arguments.trust.directory()?, &witnesses), arguments.json);
        }
        if statement::is_one(&bytes) {
            return statement::verify(&bytes, arguments);
        }
    }
    let place: Place = arguments.path.to_string_lossy().parse().expect("every text names a place");
    let policy = arguments.trust.policy(&place)?;
    let checked = if arguments.path.is_dir() || place.folder().is_none() {
        verify_log(&place, &policy, arguments.trust.pin.as_deref())?
    } else {
        verify_evidence(&files::read(&arguments.path)?, &policy)
    };
    let answer = match &checked {
        Ok((approval, entries, signed)) => verified(approval, entries, signed),
        Err(reason) => json!({"schema": "microstamp.audit/1", "ok": false, "findings": [reason]}),
    };
    if arguments.json {
        files::print_line(&answer)?;
    } else {
        match &checked {
            Ok((approval, entries, signed)) => tell_verified(approval, entries, signed)?,
            Err(reason) => files::print_line(format!("does not verify: {reason}"))?,
        }
    }
    Ok(if checked.is_ok() { Exit::Done } else { Exit::Negative })
}

type Verified = (Approval, Vec<EntryProof>, SignedCheckpoint);

/// Checks the newest checkpoint of a log, or the newest that witnesses cosigned.
fn verify_log(
    place: &Place,
    policy: &Policy,
    pin: Option<&str>,
) -> Result<Result<Verified, String>, Failure> {
    let source = place.open(pin)?;
    let newest = source.newest()?.ok_or_else(|| no_log(place))?;
    let seen = source.approved(policy, &key_of(policy, &newest)?)?;
    Ok(seen.map(|seen| (seen.approval, vec![], seen.approved)))
}

/// Checks a bundle or a single proof; the reason in words if it does not hold.
fn verify_evidence(bytes: &[u8], policy: &Policy) -> Result<Verified, String> {
    let bundle = if bytes.starts_with(b"c2sp.org/") {
        EntryProof::parse(bytes).map(|entry| Bundle { entries: vec![entry] })
    } else {
        Bundle::parse(bytes)
    };
    let bundle = bundle.map_err(|error| error.to_string())?;
    let approval = bundle.verify(policy).map_err(|error| error.to_string())?;
    let signed = bundle.entries[0].signed.clone();
    Ok((approval, bundle.entries, signed))
}

fn verified(approval: &Approval, entries: &[EntryProof], signed: &SignedCheckpoint) -> Value {
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| {
            let record = String::from_utf8_lossy(&entry.record);
            json!({"index": entry.inclusion.index, "record": serde_json::from_str(&record).unwrap_or(json!(record))})
        })
        .collect();
    json!({
        "schema": "microstamp.audit/1", "ok": true, "log": approval.log, "size": signed.checkpoint.size,
        "root": signed.checkpoint.root.to_string(), "witnesses": witnesses(approval), "entries": entries,
        "findings": [],
    })
}

/// Who cosigned, when, and whether also with an ML-DSA-44 key.
pub(super) fn witnesses(approval: &Approval) -> Vec<Value> {
    let one = |(name, time): &(String, u64)| json!({"name": name, "time": time, "ml_dsa_44": approval.ml_dsa.contains(name)});
    approval.witnesses.iter().map(one).collect()
}

fn tell_verified(
    approval: &Approval,
    entries: &[EntryProof],
    signed: &SignedCheckpoint,
) -> Result<(), Failure> {
    let checkpoint = &signed.checkpoint;
    files::print_line(format!(
        "verified: log {}, {} entries, root {}",
        approval.log, checkpoint.size, checkpoint.root
    ))?;
    tell_witnesses(approval)?;
    for entry in entries {
        files::print_line(format!(
            "entry {}: {}",
            entry.inclusion.index,
            files::printable(&String::from_utf8_lossy(&entry.record))
        ))?;
    }
    Ok(())
}

fn tell_witnesses(approval: &Approval) -> Result<(), Failure> {
    for (name, time) in &approval.witnesses {
        let time = i64::try_from(*time).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
        let time = time.map_or_else(|| "at an impossible time".to_owned(), |time| time.to_string());
        let also = if approval.ml_dsa.contains(name) { ", also by ML-DSA-44" } else { "" };
        files::print_line(format!("witness {name}: {time}{also}"))?;
    }
    Ok(())
}

fn watch_log(arguments: &Watch) -> Result<Exit, Failure> {
    let policy = arguments.trust.policy(&arguments.log)?;
    let remembered = if arguments.state.exists() {
        Some(checkpoint_in(&arguments.state)?)
    } else {
        files::remark("nothing is remembered yet: this first look is taken on trust");
        None
    };
    let source = arguments.log.open(arguments.trust.pin.as_deref())?;
    let newest = source.newest()?;
    let known = newest.as_ref().or(remembered.as_ref()).ok_or_else(|| no_log(&arguments.log))?;
    let key = key_of(&policy, known)?;
    let seen = match (&newest, &remembered) {
        // It was there: who took it away went back behind everything that it signed.
        (None, Some(before)) => Err(gone(before)),
        _ => match watch(&source, &key, remembered.as_ref()).map_err(broken)? {
            Ok(_) => source.approved(&policy, &key)?,
            Err(finding) => Err(finding.to_string()),
        },
    };
    let findings: Vec<_> = seen.as_ref().err().cloned().into_iter().collect();
    let shown = seen.as_ref().ok().map(|seen| Shown { newest: &seen.newest, seen: Some(seen) });
    report(arguments.json, shown, None, &findings)?;
    match seen {
        Ok(seen) => {
            files::write(&arguments.state, seen.newest.to_string().as_bytes())?;
            Ok(Exit::Done)
        }
        Err(_) => Ok(Exit::Negative),
    }
}

/// What is said of a log without a checkpoint that had one.
fn gone(before: &SignedCheckpoint) -> String {
    let rolled_back = Finding::RolledBack { remembered: before.checkpoint.size, found: 0 };
    format!("{rolled_back}; the checkpoint is gone")
}

fn check_all(arguments: &Fsck) -> Result<Exit, Failure> {
    let policy = arguments.trust.policy(&arguments.log)?;
    let remembered =
        arguments.remembered.iter().map(|path| checkpoint_in(path)).collect::<Result<Vec<_>, _>>()?;
    let [key, ..] = policy.logs() else {
        return Err(Exit::BadInput.because("the policy names no log"));
    };
    let source = arguments.log.open(arguments.trust.pin.as_deref())?;
    let newest = source.newest();
    let signed = newest.as_ref().ok().and_then(Option::as_ref);
    let key = signed.and_then(|signed| key_of(&policy, signed).ok()).unwrap_or_else(|| key.clone());
    let found = fsck(&source, &key, &remembered).map_err(broken)?;
    let mut findings: Vec<_> = found.findings.iter().map(Finding::to_string).collect();
    let mut approved = None;
    match &found.checkpoint {
        Some(signed) => {
            match source.approved(&policy, &key)? {
                Ok(seen) => approved = Some(seen),
                Err(reason) => findings.push(reason),
            }
            if let Some(folder) = arguments.log.folder() {
                findings.extend(against_records(&source::log_folder(folder), (signed, &policy))?);
            }
        }
        None if matches!(newest, Ok(None)) => findings.extend(remembered.iter().map(gone)),
        None => {}
    }
    if let Some(folder) = arguments.log.folder().filter(|folder| folder.join("issuer.toml").exists()) {
        findings.extend(books_beside(folder)?);
    }
    let shown = found.checkpoint.as_ref().map(|newest| Shown { newest, seen: approved.as_ref() });
    report(arguments.json, shown, Some(found.entries), &findings)?;
    Ok(if findings.is_empty() { Exit::Done } else { Exit::Negative })
}

/// Compares a node's log with the records beside it, where there are some.
fn against_records(
    log: &Path,
    (signed, policy): (&SignedCheckpoint, &Policy),
) -> Result<Vec<String>, Failure> {
    let Some(node) = log.parent().filter(|node| node.join("records").is_dir()) else { return Ok(Vec::new()) };
    let found = Ledger::check(node, signed, Some(policy));
    let found = found.or_exit(Exit::Environment, "cannot compare log and records")?;
    if found.erased > 0 {
        let whose = if policy.witnesses().is_empty() {
            "the witnesses of the directory that the folder itself trusts (give --policy to name others)"
        } else {
            "the witnesses of the policy"
        };
        files::remark(format!(
            "the records of {} entries were erased, by an act that stands in the log; that it was time is the word of {whose}",
            found.erased
        ));
    }
    let void = |(entry, reason)| format!("records: the act of erasure of entry {entry} is void: {reason}");
    let mut wrong: Vec<String> = found.void.into_iter().map(void).collect();
    if let Some(first) = found.without_record.first() {
        let count = found.without_record.len();
        wrong.push(format!(
            "records: {count} are missing that no act erased, the first that of entry {first}"
        ));
    }
    if found.not_in_log > 0 {
        wrong.push(format!("records: {} are not what the log vouches for", found.not_in_log));
    }
    Ok(wrong)
}

/// What in the tables of an issuer's folder does not agree with its log.
fn books_beside(folder: &Path) -> Result<Vec<String>, Failure> {
    let found = wait(async {
        let books = open_to_read(folder).await?;
        let found = books.reconcile().await.map_err(failure)?;
        books.close().await;
        Ok(found)
    })?;
    let altered = found.altered.iter().map(|number| format!("record {number} was altered after the fact"));
    let unexplained = found.unexplained.iter().map(|entry| format!("log entry {entry} has no record"));
    Ok(altered.chain(unexplained).chain(found.faults).collect())
}

/// A checkpoint that is reported, and who vouches for it.
#[derive(Clone, Copy)]
struct Shown<'s> {
    newest: &'s SignedCheckpoint,
    seen: Option<&'s source::Seen>,
}

/// Hours after which it is said how long ago witnesses saw a log.
const FRESH: i64 = 24;

fn report(
    json: bool,
    shown: Option<Shown<'_>>,
    read: Option<u64>,
    findings: &[String],
) -> Result<(), Failure> {
    let checkpoint = shown.map(|shown| &shown.newest.checkpoint);
    let seen = shown.and_then(|shown| shown.seen);
    // Who cosigned an older state of the log does not vouch for this one.
    let of_newest = seen.filter(|seen| Some(&seen.approved.checkpoint) == checkpoint);
    if json {
        return files::print_line(json!({
            "schema": "microstamp.audit/1", "ok": findings.is_empty(),
            "log": checkpoint.map(|checkpoint| &checkpoint.origin),
            "size": checkpoint.map(|checkpoint| checkpoint.size),
            "root": checkpoint.map(|checkpoint| checkpoint.root.to_string()),
            "witnesses": of_newest.map(|seen| witnesses(&seen.approval)).unwrap_or_default(),
            "cosigned": seen.filter(|seen| !seen.approval.witnesses.is_empty()).map(|seen| json!({
                "size": seen.approved.checkpoint.size, "root": seen.approved.checkpoint.root.to_string(),
                "witnesses": witnesses(&seen.approval),
            })),
            "entries_read": read, "findings": findings,
        }));
    }
    for finding in findings {
        files::print_line(finding)?;
    }
    match checkpoint {
        Some(checkpoint) if findings.is_empty() => {
            let (origin, size, root) = (&checkpoint.origin, checkpoint.size, checkpoint.root);
            files::print_line(format!("whole: log {origin}, {size} entries, root {root}"))?;
            let Some(seen) = seen else { return Ok(()) };
            if of_newest.is_none() {
                let Checkpoint { size, root, .. } = &seen.approved.checkpoint;
                files::print_line(format!("cosigned: the first {size} entries of it, root {root}"))?;
            }
            tell_witnesses(&seen.approval)?;
            remark_if_stale(&seen.approval);
            Ok(())
        }
        _ => files::print_line(format!("{} finding(s)", findings.len())),
    }
}

/// Says how long ago witnesses saw the log last, where that is long: a node that withholds its log from them looks the same to everybody
/// who does not ask when.
fn remark_if_stale(approval: &Approval) {
    let newest = approval.witnesses.iter().map(|(_, time)| *time).max();
    let newest = newest.and_then(|time| jiff::Timestamp::from_second(i64::try_from(time).ok()?).ok());
    let Some(newest) = newest else { return };
    let hours = jiff::Timestamp::now().duration_since(newest).as_hours();
    if hours >= FRESH {
        files::remark(format!("warning: witnesses saw this log last {hours} hours ago"));
    }
}

impl Trust {
    /// The directory's key, the one thing that a court bundle is checked against.
    fn directory(&self) -> Result<VerifierKey, Failure> {
        match &self.key {
            Some(key) => key_or_file(key),
            None => Err(Exit::BadInput.because(
                "a court bundle is checked against the directory's key\nhint: give it with --key, from a source you trust",
            )),
        }
    }

    /// The key of somebody who signed a text.
    pub(super) fn signer(&self) -> Result<VerifierKey, Failure> {
        let key = self.key.as_deref().ok_or_else(|| {
            Exit::BadInput
                .because("a signed text is checked against its signer's key\nhint: give it with --key, from a source you trust")
        })?;
        key_or_file(key)
    }

    fn policy(&self, place: &Place) -> Result<Policy, Failure> {
        if let Some(path) = &self.policy {
            let text = files::read_text(path)?;
            return text.parse().or_exit(Exit::BadInput, format!("policy `{}`", path.display()));
        }
        let key = match &self.key {
            Some(key) => key_or_file(key)?,
            None => own_key(place)?,
        };
        Policy::log_alone(key).or_exit(Exit::BadInput, "--key")
    }
}

/// SHA-256 of a public key, in small letters.
pub(super) fn pin(text: &str) -> Result<String, &'static str> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_lowercase()) } else { Err("a pin has 64 hexadecimal digits") }
}

/// A key, or a file that holds it.
pub(super) fn key_or_file(text: &str) -> Result<VerifierKey, Failure> {
    let path = Path::new(text);
    if path.is_file() { parse_key(files::read_text(path)?.trim()) } else { parse_key(text) }
}

fn parse_key(text: &str) -> Result<VerifierKey, Failure> {
    text.parse().or_exit(Exit::BadInput, "--key")
}

/// The public key in an issuer's own folder.
fn own_key(place: &Place) -> Result<VerifierKey, Failure> {
    let path = place.folder().map(|folder| folder.join("keys/log.pub")).filter(|path| path.is_file());
    let path = path.ok_or_else(|| {
        Exit::BadInput.because(
            "whom to trust is not said\nhint: give --policy FILE or --key KEY, from a source other than the log itself",
        )
    })?;
    files::read_text(&path)?.trim().parse().or_exit(Exit::BadInput, path.display())
}

fn no_log(place: &Place) -> Failure {
    Exit::BadInput.because(format!("`{place}` holds no log: there is no checkpoint"))
}

fn checkpoint_in(path: &Path) -> Result<SignedCheckpoint, Failure> {
    SignedCheckpoint::parse(&files::read(path)?).or_exit(Exit::BadInput, path.display())
}

fn key_of(policy: &Policy, signed: &SignedCheckpoint) -> Result<VerifierKey, Failure> {
    let origin = &signed.checkpoint.origin;
    let key = policy.logs().iter().find(|key| key.name() == origin && signed.verify(key).is_ok());
    let key = key.or_else(|| policy.logs().iter().find(|key| key.name() == origin));
    key.cloned().ok_or_else(|| {
        Exit::Negative
            .because(format!("the log here is `{origin}`, which is not one of those that are trusted"))
    })
}

/// The disk or the network failed, not the log.
fn broken(error: LogError) -> Failure {
    Exit::Environment.because(error)
}
