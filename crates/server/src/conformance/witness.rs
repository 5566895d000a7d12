//! What a witness must answer to `add-checkpoint`, sign, and remember.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use transparency::{AddCheckpoint, Hash, Note, SignedCheckpoint, Witness};

use super::{Clause, Seen, get};
use crate::api::WitnessCard;
use crate::client::{Client, status};
use crate::federation::Message;
use crate::ledger::Act;
use crate::roles::Agency;

/// Seconds by which a witness's clock may differ from the tester's.
const APART: u64 = 300;

struct Tester<'t> {
    witness: &'t WitnessCard,
    agency: &'t Agency,
    client: Client,
}

/// Status, content and head of an answer.
type Answer = Result<(u16, String, Message), String>;

/// Checks a witness with the log of `agency`, which the witness's directory must list. The log grows by three entries.
pub async fn check_witness(witness: &WitnessCard, agency: &Agency) -> Vec<Clause> {
    let tester = Tester { witness, agency, client: agency.node.client(Duration::from_secs(10)) };
    let mut clauses = Vec::new();
    let mut note = |text, result| clauses.push(Clause { section: "7", text, result });
    note("a body that is no request ends with 400", is(400, tester.send("nonsense".to_owned()).await));
    match two_checkpoints(agency).await {
        Ok((old, new)) => {
            tester.growth((&old, &new), &mut note).await;
            tester.signatures((&old, &new), &mut note).await;
        }
        Err(_) => note("the agency's log can be read", Err("it cannot".to_owned())),
    }
    clauses
}

impl Tester<'_> {
    async fn send(&self, body: String) -> Answer {
        let target = format!("{}/add-checkpoint", self.witness.url);
        let message = Message::request("POST", &target).with("content-type", "text/plain");
        let (answer, content) =
            self.client.send(&message, body.into_bytes()).await.map_err(|error| error.to_string())?;
        Ok((status(&answer), String::from_utf8_lossy(&content).into_owned(), answer))
    }

    fn request(&self, signed: &SignedCheckpoint, from: u64) -> String {
        self.agency.ledger.add_checkpoint(signed, from).map(|one| one.to_string()).unwrap_or_default()
    }

    /// What it takes for growth.
    async fn growth(
        &self,
        (old, new): (&SignedCheckpoint, &SignedCheckpoint),
        note: &mut impl FnMut(&'static str, Seen),
    ) {
        // Learn what the witness knows, then bring it to the older checkpoint.
        let first = self.send(self.request(old, 0)).await;
        let known = match &first {
            Ok((409, words, _)) => words.trim().parse().unwrap_or_default(),
            _ => 0,
        };
        let first = if known > 0 { self.send(self.request(old, known)).await } else { first };
        note("a good checkpoint is cosigned (200)", is(200, first));
        let size = old.checkpoint.size;
        let conflict = self.send(self.request(new, size - 1)).await;
        note(
            "a wrong old size ends with 409 and the known size as text/x.tlog.size",
            match conflict {
                Ok((409, words, answer)) if words == format!("{size}\n") => {
                    match answer.field("content-type") {
                        Some(kind) if kind == "text/x.tlog.size" => Ok(()),
                        kind => Err(format!("content type {kind:?}")),
                    }
                }
                other => is(409, other).and(Err("another size".to_owned())),
            },
        );
        let beyond = new.checkpoint.size + 1;
        let beyond = AddCheckpoint { old_size: beyond, proof: Vec::new(), signed: new.clone() };
        note(
            "an old size above the checkpoint's ends with 400",
            is(400, self.send(beyond.to_string()).await),
        );
        let other_log =
            self.request(new, size).replace(self.agency.node.log.verifier().name(), "nobody.example/log");
        note("a log that it does not watch ends with 404", is(404, self.send(other_log).await));
        let forged = self
            .request(new, size)
            .replace(&new.checkpoint.root.to_string(), &Hash::empty_tree().to_string());
        note("a bad signature of the log ends with 403", is(403, self.send(forged).await));
        let mut proof = self.agency.ledger.add_checkpoint(new, size).ok();
        if let Some(proof) = &mut proof {
            proof.proof = vec![Hash::empty_tree(); proof.proof.len().max(1)];
        }
        let proof = proof.map(|proof| proof.to_string()).unwrap_or_default();
        note("a proof that does not hold ends with 422", is(422, self.send(proof).await));
    }

    /// What it signs, and remembers.
    async fn signatures(
        &self,
        (old, new): (&SignedCheckpoint, &SignedCheckpoint),
        note: &mut impl FnMut(&'static str, Seen),
    ) {
        let good = self.send(self.request(new, old.checkpoint.size)).await;
        let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let times = match &good {
            Ok((200, lines, _)) => self.times(new, lines),
            _ => Err(is(200, good).err().unwrap_or_default()),
        };
        note("it cosigns with every key that the directory names for it", times.clone().map(drop));
        let present = times.and_then(|times| match times.iter().find(|time| now.abs_diff(**time) > APART) {
            None => Ok(()),
            Some(time) => Err(format!("it says {time}, and it is {now}")),
        });
        note("its cosignature says what time it is: records are erased by it", present);
        note("it shows what it cosigned last, with the log's signature and its own", self.shown(new).await);
        let again = self.send(self.request(new, new.checkpoint.size)).await;
        note("a size that was cosigned already is cosigned again", is(200, again));
        note("going back ends with 409", is(409, self.send(self.request(old, 0)).await));
    }

    async fn shown(&self, new: &SignedCheckpoint) -> Seen {
        let name = Witness::memory_name(&new.checkpoint.origin);
        let bytes = get(&self.client, &format!("{}/{name}/checkpoint", self.witness.url), 200).await?;
        let shown = SignedCheckpoint::parse(&bytes).map_err(|error| error.to_string())?;
        if shown.checkpoint != new.checkpoint {
            return Err(format!("a checkpoint of {} entries", shown.checkpoint.size));
        }
        shown.verify(self.agency.node.log.verifier()).map_err(|error| error.to_string())?;
        let lines: String = shown.note.signatures.iter().map(ToString::to_string).collect();
        self.times(new, &lines).map(drop)
    }

    /// When each of its keys signed.
    fn times(&self, signed: &SignedCheckpoint, lines: &str) -> Result<Vec<u64>, String> {
        let note = Note::parse(format!("{}\n{lines}", signed.note.text).as_bytes())
            .map_err(|error| error.to_string())?;
        let together = SignedCheckpoint { checkpoint: signed.checkpoint.clone(), note };
        let mut times = Vec::new();
        for key in self.witness.keys().map_err(|error| error.to_string())? {
            match together.cosigned_at(&key) {
                Ok(Some(time)) => times.push(time),
                Ok(None) => return Err(format!("no cosignature by its key {:?}", key.kind())),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(times)
    }
}

fn is(wanted: u16, seen: Answer) -> Seen {
    match seen {
        Ok((status, ..)) if status == wanted => Ok(()),
        Ok((status, words, _)) => Err(format!("status {status}: {}", words.trim())),
        Err(error) => Err(error),
    }
}

/// Two checkpoints of the agency's log, the second larger.
async fn two_checkpoints(agency: &Agency) -> Result<(SignedCheckpoint, SignedCheckpoint), String> {
    let mut held = Vec::new();
    for count in [2, 1] {
        let act = Act::new("conformance", Value::Null);
        let entered = agency.ledger.enter(&vec![act; count], Timestamp::now()).await;
        let entered = entered.map_err(|error| error.to_string())?;
        let last = entered.last().map_or(0, |entered| entered.index);
        held.push(agency.ledger.shown(last).await.map_err(|error| error.to_string())?);
    }
    match <[SignedCheckpoint; 2]>::try_from(held) {
        Ok([old, new]) => Ok((old, new)),
        Err(_) => Err("no checkpoints".to_owned()),
    }
}
