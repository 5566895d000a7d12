//! What dealers state of their own part of a chain, and for whom questions wait.
//!
//! A statement is entered in the node's log as it was signed, then in the books, and from then on every answer follows from the
//! books. What is in stock or in no book is no entry there; the node tells it beside the answer.

use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::LicenceNumber;
use registry::{Books, Chain, ChainEnd, FirearmKey, Licensee, OwnWord, Says, Stated};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::issuer::{Issuer, fields_record, seal, text, unread};
use super::pending::Waiting;
use super::registrar::of_books;
use crate::api::{DealerCard, DealerDisposition, DealerStatement, PendingQuery};
use crate::federation::{Message, Sealed, SignedRequest};
use crate::ledger::{Act, Entered, Key};
use crate::problem::{Problem, ProblemKind};

/// What a dealer was asked about.
struct Asked<'i> {
    books: &'i Books,
    firearm: FirearmKey,
    /// As the chain names it.
    dealer: Licensee,
    /// Since when it has, or had, the firearm.
    since: Option<Date>,
}

/// A statement's entry in the log.
enum TakenDown {
    /// The books are still to have it.
    Now(Entered),
    /// The books have it since, and its receipt is given once more.
    Before(Entered),
}

impl Issuer {
    /// Tells a dealer what it has to answer.
    ///
    /// # Errors
    /// As [`Issuer::trace`].
    pub async fn pending(&self, request: &Message, content: &[u8]) -> Result<Sealed, Problem> {
        let now = self.clock.now();
        let directory = self.directory.current(now)?;
        let signed = self.verify(request, content, &directory, now)?;
        self.heard()?;
        let _: PendingQuery =
            serde_json::from_slice(content).map_err(|error| ProblemKind::Malformed.because(error))?;
        let dealer = directory.dealer(&signed.key_id, now);
        let dealer =
            dealer.ok_or_else(|| ProblemKind::Forbidden.because("only a dealer may ask for its list"))?;
        for waiting in self.memory.pending.of_licence(&dealer.licence) {
            self.look_after(&waiting, now).await;
        }
        let open = self.memory.pending.of_licence(&dealer.licence);
        let item = |one: &Waiting| {
            json!({
                "question": one.question, "due": one.due,
                "model": one.model, "serial": one.serial, "manufacturer": one.manufacturer,
            })
        };
        let list =
            json!({"schema": "microstamp.pending/1", "open": open.iter().map(item).collect::<Vec<_>>()});
        let body = json!({
            "key_id": signed.key_id, "nonce": signed.nonce, "expires": signed.expires,
            "questions": open.iter().map(|one| one.question).collect::<Vec<_>>(),
        });
        self.enter(&[Act::new("dealer-list", body)], now).await?;
        seal(list.to_string().as_bytes(), &dealer.sealing, request)
    }

    /// Takes a dealer's own part of a chain: into the log, then into the books.
    ///
    /// # Errors
    /// As [`Issuer::trace`]; `forbidden` when the part is not this dealer's, `conflict` when it contradicts the books.
    pub async fn state(&self, request: &Message, content: &[u8]) -> Result<Sealed, Problem> {
        let now = self.clock.now();
        let directory = self.directory.current(now)?;
        let signed = self.verify(request, content, &directory, now)?;
        self.heard()?;
        let dealer = directory.dealer(&signed.key_id, now);
        let dealer =
            dealer.ok_or_else(|| ProblemKind::Forbidden.because("only a dealer may state its part"))?;
        let statement: DealerStatement =
            serde_json::from_slice(content).map_err(|error| ProblemKind::Malformed.because(error))?;
        self.whole_books()?;
        let _one = self.memory.begin(statement.question)?;
        let asked = self.asked_of(dealer, statement.question).await?;
        let stated = Stated { key: signed.key_id.clone(), sha256: hex::encode(Sha256::digest(content)) };
        let word = OwnWord {
            firearm: asked.firearm.clone(),
            dealer: asked.dealer.clone(),
            says: statement.disposition.says(&asked.dealer),
            by: statement.by.clone(),
            stated,
        };
        let entered = match self.take_down((request, &signed, content), &asked, &word, now).await? {
            TakenDown::Now(entered) => {
                self.put_in_the_books(&asked, (&statement, &word), now).await?;
                entered
            }
            TakenDown::Before(entered) => entered,
        };
        let log = self.node.log.verifier().name();
        let receipt = json!({"schema": "microstamp.receipt/1", "log": log, "entry": [entered]});
        seal(receipt.to_string().as_bytes(), &dealer.sealing, request)
    }

    /// What a question asks of a dealer: of a firearm in whose chain it stands now.
    async fn asked_of(&self, dealer: &DealerCard, question: Uuid) -> Result<Asked<'_>, Problem> {
        let nobody = || ProblemKind::Forbidden.because("no question waits for this dealer under that number");
        let (_, answer) = self.answered(question)?.ok_or_else(nobody)?;
        let told = answer.firearm.ok_or_else(nobody)?;
        let (books, firearm) = (self.houses.of(told.code), told.key().ok_or_else(nobody)?);
        let chain = books.possession(&firearm).await.map_err(of_books)?;
        let link = chain.links.iter().rev().find(|link| link.licensee.licence == dealer.licence);
        let link = link.filter(|link| !link.licensee.is(&books.issuer())).ok_or_else(nobody)?;
        Ok(Asked { books, firearm, dealer: link.licensee.clone(), since: link.from })
    }

    /// Enters a statement as it was signed, if the books will take it and have not yet. One that was cut off before it came into
    /// the books is gone on with, and of one that they have the receipt may have been lost.
    async fn take_down(
        &self,
        (request, signed, content): (&Message, &SignedRequest, &[u8]),
        asked: &Asked<'_>,
        word: &OwnWord,
        now: Timestamp,
    ) -> Result<TakenDown, Problem> {
        let key = word_of(&asked.firearm, &asked.dealer.licence);
        let last = |key| {
            let stored = self.ledger.find(key).map_err(|error| unread(&error))?;
            Ok::<_, Problem>(stored.filter(|stored| stored.body["sha256"] == word.stated.sha256.as_str()))
        };
        let mut body = json!({
            "key_id": signed.key_id, "nonce": signed.nonce, "expires": signed.expires,
            "sha256": word.stated.sha256, "content": text(content), "request": fields_record(request),
        });
        if last(key)?.is_some() {
            let begun = last(key.begun())?;
            let begun = begun.ok_or_else(|| ProblemKind::Replayed.because("this was stated already"))?;
            body["again"] = json!(begun.entered.index);
            self.enter(&[Act::new("dealer-statement", body)], now).await?;
            return Ok(TakenDown::Before(begun.entered));
        }
        if let Err(problem) = asked.books.may_state(word, now).await.map_err(of_books) {
            // What was signed and refused leaves a trace, too: neither side can say that it was never told.
            if problem.kind == ProblemKind::Conflict {
                body["refused"] = json!(problem.detail);
                self.enter(&[Act::new("dealer-statement", body)], now).await?;
            }
            return Err(problem);
        }
        if let Some(begun) = last(key.begun())? {
            return Ok(TakenDown::Now(begun.entered));
        }
        let act = Act::new("dealer-statement", body).found_by(key.begun());
        let entered = self.enter(&[act], now).await?.pop();
        entered.map(TakenDown::Now).ok_or_else(|| ProblemKind::Fault.because("the log took nothing"))
    }

    /// Enters it in the books, and that they have it; whoever waited waits for the next, or for nobody.
    async fn put_in_the_books(
        &self,
        asked: &Asked<'_>,
        (statement, word): (&DealerStatement, &OwnWord),
        now: Timestamp,
    ) -> Result<(), Problem> {
        let entered = asked.books.state(word, now).await;
        // Other processes write in the books as well.
        asked.books.let_go().await;
        let entry = entered.map_err(of_books)?;
        let chain = asked.books.possession(&asked.firearm).await.map_err(of_books)?;
        let happened = matches!(word.says, Says::Happened(..));
        let next = waits_for(&chain, &asked.books.issuer()).filter(|_| happened);
        let next = next.map(|next| &next.licence);
        let looked = (!happened).then_some(&statement.disposition);
        let body = json!({
            "question": statement.question, "firearm": asked.firearm, "licence": asked.dealer.licence,
            "sha256": word.stated.sha256, "entry": entry, "next": next, "looked": looked, "since": asked.since,
        });
        let key = word_of(&asked.firearm, &asked.dealer.licence);
        let _turn = self.memory.turn().await;
        self.enter(&[Act::new("dealer-stated", body).found_by(key)], now).await?;
        self.memory.pending.follow(&asked.firearm, next, now);
        Ok(())
    }

    /// When a dealer said last that it still has a firearm, or has no record of it, and what: as long as it has it as it had then.
    pub(super) fn looked_for(
        &self,
        firearm: &FirearmKey,
        (dealer, chain): (&Licensee, &Chain),
    ) -> Option<(Timestamp, Says)> {
        let stored = self.ledger.find(word_of(firearm, &dealer.licence)).ok().flatten()?;
        let link = chain.links.iter().rev().find(|link| link.licensee.is(dealer))?;
        if stored.body["since"] != json!(link.from) || stored.body["looked"] == Value::Null {
            return None;
        }
        let looked: DealerDisposition = serde_json::from_value(stored.body["looked"].clone()).ok()?;
        Some((stored.at, looked.says(dealer)))
    }

    /// Looks whether a question still waits, after a look into the books.
    pub(super) async fn still_waits(&self, question: Uuid, now: Timestamp) -> bool {
        if let Some(waiting) = self.memory.pending.get(question) {
            self.look_after(&waiting, now).await;
        }
        self.memory.pending.get(question).is_some()
    }

    /// Lets whatever waits for a firearm wait for whoever has it by the books now.
    pub(super) async fn follow(&self, books: &Books, firearm: &FirearmKey, now: Timestamp) {
        if !self.memory.pending.is_for(firearm) {
            return;
        }
        match books.possession(firearm).await {
            Ok(chain) => {
                let next = waits_for(&chain, &books.issuer()).map(|next| &next.licence);
                self.memory.pending.follow(firearm, next, now);
            }
            Err(error) => tracing::warn!(%error, "the books do not say for whom a question waits"),
        }
    }

    async fn look_after(&self, waiting: &Waiting, now: Timestamp) {
        if let (Some(code), Some(firearm)) = (waiting.code, &waiting.firearm) {
            self.follow(self.houses.of(code), firearm, now).await;
        }
    }
}

/// The licensee that must be asked how a chain goes on; the issuer asks nobody but others, and nobody where it knows that itself.
pub(super) fn waits_for<'c>(chain: &'c Chain, issuer: &Licensee) -> Option<&'c Licensee> {
    match &chain.end {
        ChainEnd::WithLicensee { holder, .. } if chain.beyond.later.is_none() && !holder.is(issuer) => {
            Some(holder)
        }
        _ => None,
    }
}

/// The key of what a dealer stated last of a firearm.
fn word_of(firearm: &FirearmKey, dealer: &LicenceNumber) -> Key {
    let of = json!([firearm.licence, firearm.model, firearm.serial, dealer]);
    Key::of_text("a dealer's word of a firearm", &of.to_string())
}
