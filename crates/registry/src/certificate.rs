//! A signed certificate for one firearm: which codes its parts carry, and where that stands in the log.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use symbology::{Code, Scheme};
use transparency::{Approval, EntryProof, Note, Policy, VerifierKey};

use crate::books::{Books, History};
use crate::chain::{ChainEnd, chain};
use crate::encode;
use crate::entries::brings_in;
use crate::error::{BooksError, Refusal};
use crate::event::View;
use crate::firearm::{FirearmKey, FirearmKind, Part};
use crate::folder::SCHEME;
use crate::ledger;
use crate::moves::{Here, parts_in};
use crate::names::Person;
use crate::rules::Standing;
use crate::store::{Session, StoredCode};
use crate::trace::marked_code;

/// The scheme of marks on rounds.
const ROUNDS: &str = "round-1";

/// Version of `docs/specification.md` that the scheme belongs to.
const SPECIFICATION: u32 = 1;

/// A certificate, and the proof that giving it stands in the issuer's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The signed text.
    pub note: Note,
    /// Record, salt, inclusion proof and checkpoint of the act.
    pub proof: EntryProof,
}

impl Certificate {
    /// How the signed text begins.
    pub const FIRST_LINE: &'static str = "microstamp certificate v1";

    /// Checks a certificate without its books: the signature under the issuer's certificate key, the proof under a policy
    /// that names the issuer's log, and that it is this very text that stands in the log at the place that the text names.
    ///
    /// # Errors
    /// [`BooksError::Statement`] says what does not hold.
    pub fn verify(&self, signer: &VerifierKey, log: &Policy) -> Result<Approval, BooksError> {
        let refuse = |what: &str| BooksError::Statement(what.to_owned());
        self.note.verify(signer).map_err(|error| refuse(&error.to_string()))?;
        let approval = self.proof.verify(log).map_err(|error| refuse(&error.to_string()))?;
        let (origin, index) = (&self.proof.signed.checkpoint.origin, self.proof.inclusion.index);
        let text = self.note.text.strip_suffix(&place(origin, index));
        let text = text.ok_or_else(|| refuse("the proof is of another place in a log"))?;
        let record: Value = serde_json::from_slice(&self.proof.record).unwrap_or_default();
        if !text.starts_with(Self::FIRST_LINE) || record["text_sha256"] != json!(hash(text)) {
            return Err(refuse("the entry in the log is not of this certificate"));
        }
        Ok(approval)
    }
}

/// The last line, which cannot be in the log as it names its place there.
fn place(origin: &str, index: u64) -> String {
    format!("log: {origin} entry {index}\n")
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

impl Books {
    /// Certifies which codes the parts of a firearm carry, as the books stand.
    ///
    /// The certificate is a C2SP signed note: plain text, an empty line, and the issuer's Ed25519 signature, to be
    /// checked with `keys/signing.pub`. It names the scheme and the version of its standard, the codes, the evidence (entries and log) and who signed.
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`]; [`Refusal::OutOfOrder`] where the book does not tell which parts are in it; [`BooksError::Log`] when the log does not take the act, which then does not
    /// happen.
    pub async fn certificate(
        &self,
        key: &FirearmKey,
        signer: &Person,
        now: Timestamp,
    ) -> Result<Certificate, BooksError> {
        let unknown = || Refusal::UnknownFirearm(key.clone());
        self.keys.own()?;
        let mut ledger = self.writing().await?;
        let history = self.history(key).await?.ok_or_else(unknown)?;
        let standing = View::Corrected.of(&history.entries);
        if !standing.iter().any(|entry| brings_in(&entry.event)) {
            let what = format!("{key} was entered in error and withdrawn");
            return Err(Refusal::OutOfOrder { what, hint: "there is nothing to certify" }.into());
        }
        let parts = self.parts_of(key, &history).await?;
        let mut text = self.certified(&history, &parts, signer, now);
        let body = json!({"firearm": key, "by": signer, "text_sha256": hash(&text)});
        let mut records = [ledger::new_record("certificate", &body, now)?];
        let entered = self.enter_all(&mut ledger, &mut records, &[]).await?;
        self.effect_of(&entered).await?.commit().await?;
        let log_index = entered[0].1;
        let proof = ledger.prove(&records[0], log_index as u64)?;
        text.push_str(&place(self.keys.log_verifier.name(), log_index as u64));
        let note = Note::sign(&text, &self.keys.own()?.signing);
        Ok(Certificate { note: note.map_err(|error| BooksError::Log(Box::new(error)))?, proof })
    }

    /// All lines but the last, which names the place in the log.
    fn certified(
        &self,
        history: &History,
        parts: &[(Part, Code, i64)],
        signer: &Person,
        now: Timestamp,
    ) -> String {
        let (key, description) = (&history.firearm.key, &history.firearm.description);
        let rounds = (description.kind == FirearmKind::Ammunition).then(Scheme::round_1);
        let scheme = rounds.as_ref().map_or(SCHEME, |_| ROUNDS);
        let mut text = format!("{}\nissuer: {}\nscheme: {scheme}\n", Certificate::FIRST_LINE, self.issuer());
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{name}: {value}").expect("a string takes any text");
        };
        line("standard", &format!("microstamp specification, version {SPECIFICATION}"));
        line("firearm", key);
        line("type", &description.kind.as_str());
        line("manufacturer", &description.manufacturer);
        if let Some(importer) = &description.importer {
            line("importer", importer);
        }
        line("calibre", &description.calibre);
        line("country", &description.country);
        for (part, code, log_index) in parts {
            let code = rounds.as_ref().map_or_else(|| code.to_string(), |scheme| marked_code(scheme, *code));
            line(part.as_str(), &format!("{code}, issued in log entry {log_index}"));
        }
        let standing = View::Corrected.of(&history.entries);
        match chain(&standing).map(|chain| chain.end) {
            Some(ChainEnd::Destroyed { on, .. }) => line("standing", &format!("destroyed on {on}")),
            Some(ChainEnd::Lost { on, loss, .. }) => {
                line("standing", &format!("reported missing on {on}, incident {}", loss.incident));
            }
            _ => {}
        }
        let numbers: Vec<String> = standing.iter().map(|entry| entry.number.to_string()).collect();
        line("entries", &numbers.join(" "));
        line("signed", &now);
        line("by", signer);
        text
    }

    /// The parts in a firearm now, the codes they carry, and where in the log those were issued.
    async fn parts_of(
        &self,
        key: &FirearmKey,
        history: &History,
    ) -> Result<Vec<(Part, Code, i64)>, BooksError> {
        let mut session = self.store.read().await?;
        let unknown = || Refusal::UnknownFirearm(key.clone());
        let id = self.firearm_id(&mut session, key).await?.ok_or_else(unknown)?;
        let standing: Vec<_> = View::Corrected.of(&history.entries).into_iter().map(Standing::from).collect();
        let mut parts = Vec::new();
        for (part, code) in parts_in(&mut session, Here { id, key, standing: &standing }).await? {
            let record = stored(&mut session, encode::code_number(code)).await?.record_id;
            let log_index = session.log_index(record).await?;
            let missing = || BooksError::damaged(format!("code {code} was issued without a log entry"));
            parts.push((part, code, log_index.ok_or_else(missing)?));
        }
        Ok(parts)
    }
}

async fn stored(session: &mut Session, number: i64) -> Result<StoredCode, BooksError> {
    session.code(number).await?.ok_or_else(|| BooksError::damaged(format!("code number {number} is gone")))
}
