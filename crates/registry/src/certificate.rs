//! A signed certificate for one firearm: which codes its parts carry, and where that stands in the log.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;
use symbology::Code;
use transparency::{EntryProof, Note};

use crate::books::Books;
use crate::chain::{ChainEnd, chain};
use crate::encode;
use crate::entries::brings_in;
use crate::error::{BooksError, Refusal};
use crate::event::{Event, View};
use crate::firearm::{FirearmKey, Part};
use crate::folder::SCHEME;
use crate::ledger;
use crate::names::Person;
use crate::store::{Session, StoredCode};

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

impl Books {
    /// Certifies which codes the parts of a firearm carry, as the books stand.
    ///
    /// The certificate is a C2SP signed note: plain text, an empty line, and the issuer's Ed25519 signature, to be
    /// checked with `keys/signing.pub`. It names the scheme and the version of its standard, the codes, the evidence (entries and log) and who signed.
    ///
    /// # Errors
    /// [`Refusal::UnknownFirearm`]; [`BooksError::Log`] when the log does not take the act, which then does not
    /// happen.
    pub async fn certificate(
        &self,
        key: &FirearmKey,
        signer: &Person,
        now: Timestamp,
    ) -> Result<Certificate, BooksError> {
        let unknown = || Refusal::UnknownFirearm(key.clone());
        self.keys.own()?;
        let history = self.history(key).await?.ok_or_else(unknown)?;
        let standing = View::Corrected.of(&history.entries);
        if !standing.iter().any(|entry| brings_in(&entry.event)) {
            let what = format!("{key} was entered in error and withdrawn");
            return Err(Refusal::OutOfOrder { what, hint: "there is nothing to certify" }.into());
        }
        let end = chain(&standing).map(|chain| chain.end);
        let parts = self.parts_of(key).await?;
        let mut ledger = self.ledger.lock().await;
        let mut records = [ledger::new_record("certificate", &json!({"firearm": key, "by": signer}), now)?];
        let (record_id, log_index) = self.enter_all(&mut ledger, &mut records, &[]).await?[0];
        let mut session = self.store.write().await?;
        session.put_logged(record_id, log_index).await?;
        session.commit().await?;
        let proof = ledger.prove(&records[0], log_index as u64)?;
        let description = &history.firearm.description;
        let mut text = format!("microstamp certificate v1\nissuer: {}\nscheme: {SCHEME}\n", self.issuer());
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{name}: {value}").expect("a string takes any text");
        };
        line("standard", &format!("microstamp specification, version {SPECIFICATION}"));
        line("firearm", &key);
        line("type", &description.kind.as_str());
        line("manufacturer", &description.manufacturer);
        line("calibre", &description.calibre);
        line("country", &description.country);
        for (part, code, log_index) in &parts {
            line(part.as_str(), &format!("{code}, issued in log entry {log_index}"));
        }
        match &end {
            Some(ChainEnd::Destroyed { on, .. }) => line("standing", &format!("destroyed on {on}")),
            Some(ChainEnd::Lost { on, loss, .. }) => {
                line("standing", &format!("reported missing on {on}, incident {}", loss.incident));
            }
            _ => {}
        }
        let numbers: Vec<String> = standing.iter().map(|entry| entry.number.to_string()).collect();
        line("entries", &numbers.join(" "));
        line("log", &format!("{} entry {}", self.issuer.origin, log_index));
        line("signed", &now);
        line("by", signer);
        let note = Note::sign(&text, &self.keys.own()?.signing);
        Ok(Certificate { note: note.map_err(|error| BooksError::Log(Box::new(error)))?, proof })
    }

    /// The parts in a firearm now, the codes they carry, and where in the log those were issued.
    async fn parts_of(&self, key: &FirearmKey) -> Result<Vec<(Part, Code, i64)>, BooksError> {
        let mut session = self.store.read().await?;
        let unknown = || Refusal::UnknownFirearm(key.clone());
        let firearm = self.firearm_id(&mut session, key).await?.ok_or_else(unknown)?;
        let mut fitted: Vec<(Part, Code)> = Vec::new();
        let mut entries = Vec::new();
        for row in session.entries_of_firearm(firearm).await? {
            if let ("manufactured", Some(number)) = (row.kind.as_str(), row.code) {
                let (code, parts) = (encode::code(number)?, stored(&mut session, number).await?.parts);
                fitted.extend(encode::parts(parts).into_iter().map(|part| (part, code)));
            }
            entries.push(encode::entry(row)?);
        }
        let mut standing = View::Corrected.of(&entries);
        standing.sort_by_key(|entry| (entry.on, entry.number));
        for entry in standing {
            match &entry.event {
                Event::PartFitted { part, code, .. } => fitted.push((*part, *code)),
                Event::PartRemoved { part, code, .. } => fitted.retain(|one| one != &(*part, *code)),
                _ => {}
            }
        }
        let mut parts = Vec::new();
        for (part, code) in fitted {
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
