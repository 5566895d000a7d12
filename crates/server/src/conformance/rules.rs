//! Who may know what, section 5: what an issuer tells of a firearm that was made up for tests, and of how many codes.

use symbology::{Code, Prefix};
use uuid::Uuid;

use super::issuer::{Tester, Told};
use super::{Clause, Seen};
use crate::api::{AskedCode, OutcomeName, Question, QuestionKind};
use crate::federation::Route;

impl Tester<'_> {
    /// Of how many codes an issuer tells that they were issued, and of whose.
    pub(super) async fn limits(&self, sold: Option<Code>, clauses: &mut Vec<Clause>) {
        let mut note = |text, result: Seen| clauses.push(Clause { section: "5", text, result });
        let elsewhere = match self.foreign() {
            Some(prefix) => self.is_elsewhere(prefix).await,
            None => Err("the directory gives every block to this issuer".to_owned()),
        };
        note("a code of another's block is not looked up", elsewhere);
        let (base, never) = (self.question(), self.never());
        let of_case = |codes: &[(Code, f64)]| {
            let asked = |(code, posterior): &(Code, f64)| AskedCode {
                code: *code,
                on_round: false,
                posterior: *posterior,
            };
            Question { id: Uuid::now_v7(), codes: codes.iter().map(asked).collect(), ..base.clone() }
        };
        let code = sold.unwrap_or(never);
        let mut vague = Vec::new();
        let two = [(never, 0.51), (code, 0.4)];
        let second = if sold.is_some() { &two[..] } else { &[(never, 0.3)] };
        for codes in [&[(code, 0.3)][..], second, &[(never, 0.3)]] {
            vague.push(self.ask(&of_case(codes)).await.and_then(no_firearm));
        }
        if sold.is_some() {
            let both = vague[..2].iter().cloned().try_for_each(|told| which_are_issued(&told?, code));
            note("of an uncertain reading it is told which codes are issued, and no firearm", both);
        }
        note(
            "three uncertain answers are given for a case",
            vague.into_iter().try_for_each(|told| told.map(drop)),
        );
        let over = self.tells_nothing(&of_case(&[(never, 0.3)])).await;
        note("a fourth is not", over.as_ref().map(drop).map_err(Clone::clone));
        let sharp = self.tells_nothing(&of_case(&[(code, 1.0)])).await;
        let same = over.and_then(|over| {
            let words = sharp?.answer.statement == over.answer.statement;
            words.then_some(()).ok_or_else(|| "other words".to_owned())
        });
        note("over a limit every code is refused in the same words, issued or not", same);
    }

    /// The chain first, and its reference when a second person has approved that it is told.
    pub(super) async fn two_steps(&self, code: Code, clauses: &mut Vec<Clause>) {
        let mut note = |section, text, result: Seen| clauses.push(Clause { section, text, result });
        let base = self.question();
        let chain = Question { codes: vec![certain(code)], ..base };
        let mut alone = Question { id: Uuid::now_v7(), ..chain.clone() };
        alone.approver = spelled_otherwise(&alone.requester);
        let alone = self.tells_nothing(&alone).await;
        note(
            "5",
            "one person under two spellings is told of no firearm",
            alone.as_ref().map(drop).map_err(Clone::clone),
        );
        let logged = match alone {
            Ok(told) => self.proved(&told.sealed).await,
            Err(seen) => Err(seen),
        };
        note("6", "a question that was refused stands in the issuer's log, with its answer", logged);
        let early = self.tells_nothing(&second(&chain)).await.map(drop);
        note("5", "a reference is not told before the chain", early);
        let told = self.ask(&chain).await.and_then(|told| of_firearm(told, code));
        let withheld = told.as_ref().map_err(Clone::clone).and_then(|told| has_reference(told, false));
        note("5", "the chain is told, and its reference is withheld", withheld);
        let Ok(told) = told else { return };
        note(
            "6",
            "question and answer of a firearm stand in the issuer's log",
            self.proved(&told.sealed).await,
        );
        let length = self.ask(&self.question()).await.and_then(|none| {
            let same = none.length == told.length;
            same.then_some(()).ok_or_else(|| format!("{} bytes, and {} of none", told.length, none.length))
        });
        note("4.3", "the length of an answer does not tell a firearm from none", length);
        for (text, question) in altered(&chain) {
            note("5", text, self.tells_nothing(&question).await.map(drop));
        }
        let told = self.ask(&second(&chain)).await.and_then(|told| of_firearm(told, code));
        let told = told.and_then(|told| has_reference(&told, true));
        note("5", "after a second approval the reference is told", told);
    }

    async fn is_elsewhere(&self, prefix: Prefix) -> Seen {
        let question = Question { codes: vec![certain(super::last_of(prefix))], ..self.question() };
        match self.ask(&question).await?.answer.outcome {
            OutcomeName::NotOurs => Ok(()),
            other => Err(format!("outcome {}", other.as_str())),
        }
    }

    /// A code of the issuer's that is most likely not issued.
    fn never(&self) -> Code {
        let first = || Prefix::from_index(0).expect("the first block");
        super::last_of(self.issuer.prefixes.first().copied().unwrap_or_else(first))
    }

    /// A block for which this issuer does not answer.
    fn foreign(&self) -> Option<Prefix> {
        let directory = self.agency.directory.newest()?;
        let (own, now) = (&self.issuer.node.name, jiff::Timestamp::now());
        let mut all = (0..=u16::MAX).map_while(Prefix::from_index);
        all.find(|prefix| match directory.route(*prefix, now) {
            Route::Issuer(card) => card.node.name != *own,
            Route::Delegated { from, to } => from.node.name != *own && to.node.name != *own,
            Route::Nobody => !self.issuer.prefixes.contains(prefix),
        })
    }
}

fn certain(code: Code) -> AskedCode {
    AskedCode { code, on_round: false, posterior: 1.0 }
}

/// The same person, in capitals and with more space.
fn spelled_otherwise(person: &registry::names::Person) -> registry::names::Person {
    let text = person.as_str().to_uppercase().replace(' ', "  ");
    text.parse().unwrap_or_else(|_| person.clone())
}

/// The question for the reference of a chain, approved by a third person.
fn second(chain: &Question) -> Question {
    let second_approver = "third person".parse().expect("two plain words");
    let kind = QuestionKind::RetailReference { after: chain.id, second_approver };
    Question { id: Uuid::now_v7(), kind, ..chain.clone() }
}

/// Questions for the reference that differ from what the chain was approved for.
fn altered(chain: &Question) -> [(&'static str, Question); 3] {
    let fourth: registry::names::Person = "fourth person".parse().expect("two plain words");
    let (mut by_requester, mut other_case, mut other_approver) =
        (second(chain), second(chain), second(chain));
    by_requester.requester = fourth.clone();
    by_requester.kind =
        QuestionKind::RetailReference { after: chain.id, second_approver: chain.requester.clone() };
    other_case.case_number = "conformance another case".parse().expect("plain words");
    other_approver.approver = fourth;
    [
        ("who requested the chain does not approve that its reference is told", by_requester),
        ("the reference is not told for another case than the chain", other_case),
        ("the reference is not told where somebody else is said to have approved the chain", other_approver),
    ]
}

fn no_firearm(told: Told) -> Result<Told, String> {
    match told.answer.outcome {
        OutcomeName::Ambiguous | OutcomeName::NotIssued if told.answer.firearm.is_none() => Ok(told),
        other => Err(format!("outcome {}", other.as_str())),
    }
}

/// Whether this code is said to be issued.
fn which_are_issued(told: &Told, code: Code) -> Seen {
    let issued = &told.answer.issued;
    if told.answer.outcome == OutcomeName::Ambiguous && issued.contains(&code) {
        return Ok(());
    }
    let issued: Vec<String> = issued.iter().map(ToString::to_string).collect();
    Err(format!("outcome {}, issued: {}", told.answer.outcome.as_str(), issued.join(", ")))
}

/// Whether a firearm was told by this code, sold at retail.
fn of_firearm(told: Told, code: Code) -> Result<Told, String> {
    match (told.answer.outcome, &told.answer.firearm) {
        (OutcomeName::Found, Some(firearm)) if firearm.code == code => Ok(told),
        (other, _) => Err(format!("outcome {}: is the firearm sold at retail?", other.as_str())),
    }
}

fn has_reference(told: &Told, wanted: bool) -> Seen {
    let Some(firearm) = &told.answer.firearm else { return Err("no firearm".to_owned()) };
    match (firearm.form_4473().is_some(), firearm.reference_withheld) {
        (true, false) if wanted => Ok(()),
        (false, true) if !wanted => Ok(()),
        (told, _) => Err(if told { "the reference is told" } else { "no reference" }.to_owned()),
    }
}
