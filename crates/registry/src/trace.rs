//! From a reading to a firearm and its chain: the question, the answer, and the typed outcomes between.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use symbology::{Code, Scheme};

use crate::books::{Books, history};
use crate::chain::{Beyond, Chain, ChainEnd, TimeToCrime, chain, chain_on, time_to_crime};
use crate::encode;
use crate::entries::lies_ahead;
use crate::error::{BooksError, Refusal};
use crate::event::{Entry, View};
use crate::firearm::{Firearm, FirearmKey, FirearmKind, Licensee, Part};
use crate::names::{CaseNumber, CrimeCode, Ori, Person, Reason};
use crate::placement::{Place, places};
use crate::rules;
use crate::second_step::one_person;
use crate::store::{Session, StoredCode};
use crate::wording;

/// Codes in one question at most; a longer list is a search for codes, not a reading.
pub const MAX_CANDIDATES: usize = 20;

/// Share of the probability that a code must hold, among the codes that can be meant, before its chain is told.
///
/// A code that these books know was never issued can not be meant. Everything else can: issued codes, codes of other
/// issuers, and whatever the reading left to codes it does not list.
pub const CERTAIN: f64 = 0.99;

/// Share that the reading itself must give a code before its chain is told, whatever was never issued beside it.
///
/// That the likelier codes were never issued makes this one likelier, and the reading as a whole less so: a scratch, or a mark of
/// nobody's, fits codes that were never issued best.
pub const READ: f64 = 0.5;

/// A question to the books, with the fields that ATF F 3312.1 demands of a trace request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceRequest {
    /// The reading: codes with their posteriors, at most [`MAX_CANDIDATES`].
    pub codes: Vec<CandidateCode>,
    /// SHA-256 of the reading's file, so that question and examination belong together; 64 hexadecimal digits.
    pub reading_sha256: Option<String>,
    /// The agency that asks.
    pub ori: Ori,
    /// The agency's case.
    pub case_number: CaseNumber,
    /// What crime is investigated, as an NCIC code.
    pub crime_code: Option<CrimeCode>,
    /// How urgent it is.
    pub priority: Priority,
    /// Why it is asked.
    pub reason: Reason,
    /// Who asks.
    pub requester: Person,
    /// Who approved the question; another person than the requester. The reference of a retail sale is told in a second step,
    /// which is approved as well, see [`Books::trace_reference`]; [`Books::weigh`] leaves that to the node.
    pub approver: Option<Person>,
    /// The day on which the case was recovered.
    pub recovered_on: Option<Date>,
    /// The parts whose marks were read; empty where the reading does not say. The parts that carry a code can come to be in
    /// different firearms, and then only this tells which of them is meant.
    #[serde(default)]
    pub parts: Vec<Part>,
}

/// One code of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CandidateCode {
    /// The code.
    pub code: Code,
    /// Its posterior probability in the reading, 0 to 1, before anyone knew which codes are issued.
    pub posterior: f64,
}

/// How urgent a question is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// In the order of arrival.
    Routine,
    /// At once, for a written reason.
    Urgent(Reason),
}

/// What the books answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceAnswer {
    /// Number of the question's record.
    pub question: u64,
    /// The agency's case, as asked.
    pub case_number: CaseNumber,
    /// When it was answered.
    pub answered_at: Timestamp,
    /// The answer.
    #[serde(flatten)]
    pub outcome: TraceOutcome,
    /// The same in sentences, with what must be said beside it.
    pub statement: Vec<String>,
    /// Name of the issuer's log.
    pub log: String,
    /// Places of question and answer in that log.
    pub log_entries: [u64; 2],
}

/// The outcomes, each of which calls for something different.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum TraceOutcome {
    /// One firearm, and its chain reaches a retail sale.
    Found(Box<Traced>),
    /// One firearm, and its chain ends before a retail sale; the chain's end says why.
    ChainEnds(Box<Traced>),
    /// The code was issued for a part that was in no firearm on that day.
    PartNotFitted {
        /// The code.
        code: Code,
        /// The part or parts it was issued for.
        parts: Vec<PartState>,
    },
    /// The parts that carry the code were not all in one firearm on that day, and the question does not say which part's
    /// mark was read: no firearm is named.
    InSeveralFirearms {
        /// The code.
        code: Code,
        /// The parts, each with whether it was in a firearm and since when.
        parts: Vec<PartState>,
    },
    /// More than one code can be meant. Only which of them are issued is told.
    Ambiguous {
        /// Those of the codes that were issued.
        issued: Vec<Code>,
        /// Those of the codes that belong to other issuers, whom to ask as well.
        elsewhere: Vec<Code>,
    },
    /// None of the codes was ever issued, though all belong to this issuer's blocks: a misreading, or a forged mark.
    NotIssued {
        /// The codes asked for.
        codes: Vec<Code>,
    },
    /// No code that was issued here; at least one belongs to another issuer.
    NotOurs {
        /// Codes of other issuers' blocks.
        elsewhere: Vec<Code>,
        /// Codes of this issuer's blocks, none of them issued.
        not_issued: Vec<Code>,
    },
}

/// A firearm found from a code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traced {
    /// The code.
    pub code: Code,
    /// Its posterior in the reading.
    pub posterior: f64,
    /// Its share of the probability after codes that were never issued are struck out, see [`CERTAIN`].
    pub posterior_given_issued: f64,
    /// The firearm, as corrections leave it.
    pub firearm: Firearm,
    /// The parts that carry the code, and whether they were in this firearm on the day of recovery.
    pub parts: Vec<PartState>,
    /// Codes of the reading that were never issued, and were struck out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_issued: Vec<Code>,
    /// The chain of possession as it was on the day of recovery; as it is now where no day was given.
    pub chain: Chain,
    /// Days from first retail sale to recovery, where that may be told.
    pub time_to_crime: TimeToCrime,
    /// True when the reference of a retail sale is withheld until it is asked for in a second step, see
    /// [`Books::trace_reference`].
    pub reference_withheld: bool,
}

impl Traced {
    /// The code as it stands on the mark: on the rounds of a box it has other check characters (`round-1`) than on a firearm.
    pub fn marked_code(&self) -> String {
        if self.firearm.description.kind != FirearmKind::Ammunition {
            return self.code.to_string();
        }
        marked_code(&Scheme::round_1(), self.code)
    }
}

/// A code as it stands on marks of a scheme.
pub(crate) fn marked_code(scheme: &Scheme, code: Code) -> String {
    let word: Vec<u8> = code.symbols().iter().map(|symbol| symbol.value()).collect();
    scheme.text(&word)
}

/// Where a marked part was on the day of recovery, or is now when no day was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// The part.
    pub part: Part,
    /// Whether it was in the firearm that the answer names; where none is named, in any.
    pub fitted: bool,
    /// Since when it was in that firearm, or out of it; nothing for a part that by these books never was in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Whether it was in another firearm than the one that the answer names, or was last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// Who fitted or removed it last, where by these books that house never had the firearm: its signature stands, and nothing
    /// else vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<Licensee>,
    /// The other firearm in which it was before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<FirearmKey>,
}

impl Books {
    /// Answers a question: the question is in the log before the books are opened, the answer before it is given. The chain is
    /// told, the reference of a retail sale withheld.
    ///
    /// Questions asked at the same time share their flushes of table and log: ask from many tasks at once.
    ///
    /// # Errors
    /// [`Refusal::Request`] for a question without what the house demands; [`BooksError::Log`] when the log does not
    /// take question or answer, in which case nothing is answered.
    pub async fn trace(&self, request: &TraceRequest, now: Timestamp) -> Result<TraceAnswer, BooksError> {
        check(request, encode::today(now))?;
        self.ask(request, None, now).await
    }

    /// The answer that [`Books::trace`] would give and its sentences, without a log entry: for a node that keeps
    /// questions and answers in a log of its own. It must enter both there before it tells anyone, and give an approver only in
    /// the second step: with one the reference of a retail sale is told.
    ///
    /// # Errors
    /// [`Refusal::Request`] for a question without what the house demands; [`BooksError::Database`].
    pub async fn weigh(
        &self,
        request: &TraceRequest,
        today: Date,
    ) -> Result<(TraceOutcome, Vec<String>), BooksError> {
        check(request, today)?;
        let outcome = self.resolve(request, today, request.approver.is_some()).await?;
        let statement = wording::statement(&outcome, request);
        Ok((outcome, statement))
    }

    /// Tells whether a code was issued, and when: the bare look-up that a trace begins with. It is not an answer to
    /// anyone outside the issuer's house, so it is not in the log.
    ///
    /// # Errors
    /// [`BooksError::Database`].
    pub async fn issued(&self, code: Code) -> Result<Option<Timestamp>, BooksError> {
        let stored = self.store.look_up(encode::code_number(code)).await?;
        stored.map(|stored| encode::time(stored.issued_at)).transpose()
    }

    /// What the books say, with no word of it in the log yet.
    pub(crate) async fn resolve(
        &self,
        request: &TraceRequest,
        today: Date,
        with_reference: bool,
    ) -> Result<TraceOutcome, BooksError> {
        let mut session = self.store.read().await?;
        let blocks = session.blocks().await?;
        let mut sorted = Sorted::default();
        for candidate in &request.codes {
            let prefix = i64::from(candidate.code.prefix().index());
            if !blocks.iter().any(|(block, _)| *block == prefix) {
                sorted.elsewhere.push(*candidate);
            } else if let Some(stored) = session.code(encode::code_number(candidate.code)).await? {
                sorted.issued.push((*candidate, stored));
            } else {
                sorted.not_issued.push(candidate.code);
            }
        }
        let other = 1.0 - request.codes.iter().map(|candidate| candidate.posterior).sum::<f64>();
        let Some(share) = sorted.share_of_best(other.max(0.0)) else {
            return Ok(sorted.nothing_issued());
        };
        if share < CERTAIN || sorted.issued[0].0.posterior < READ {
            return Ok(sorted.ambiguous());
        }
        let (best, stored) = sorted.issued.swap_remove(0);
        let day = request.recovered_on.unwrap_or(today);
        let made = match stored.firearm_id {
            Some(id) => made_on(&history(&mut session, id).await?.entries),
            None => None,
        };
        let places = places(&mut session, (best.code, &stored), (day, made), &self.issuer()).await?;
        let meant = |place: &&Place| request.parts.is_empty() || request.parts.contains(&place.part);
        let firearms: BTreeSet<i64> = places.iter().filter(meant).filter_map(Place::firearm).collect();
        let Some(&firearm_id) = firearms.first() else {
            let parts = places.iter().map(Place::alone).collect();
            return Ok(TraceOutcome::PartNotFitted { code: best.code, parts });
        };
        if firearms.len() > 1 {
            let parts = places.iter().map(Place::alone).collect();
            return Ok(TraceOutcome::InSeveralFirearms { code: best.code, parts });
        }
        let parts = places.iter().map(|place| place.state(firearm_id)).collect();
        let mut traced = self.traced(&mut session, firearm_id, request).await?;
        of_the_buyer_alone(&mut traced.chain);
        traced.reference_withheld = !with_reference && withhold(&mut traced.chain);
        (traced.code, traced.posterior, traced.posterior_given_issued) = (best.code, best.posterior, share);
        (traced.parts, traced.not_issued) = (parts, sorted.not_issued);
        Ok(match traced.chain.end {
            ChainEnd::RetailSale(_) => TraceOutcome::Found(Box::new(traced)),
            _ => TraceOutcome::ChainEnds(Box::new(traced)),
        })
    }

    /// The firearm and its chain; code, posteriors and parts are left to the caller.
    async fn traced(
        &self,
        session: &mut Session,
        firearm_id: i64,
        request: &TraceRequest,
    ) -> Result<Traced, BooksError> {
        let history = history(session, firearm_id).await?;
        not_before_it_was_made(&history.entries, request.recovered_on)?;
        let now = self.chain_of(session, &history.entries).await?;
        let chain = match request.recovered_on {
            Some(day) => self.chain_at(session, &history.entries, (day, &now)).await?,
            None => now.clone(),
        };
        let mut time_to_crime = time_to_crime(&chain, request.recovered_on);
        let sold_later =
            now.first_sale.as_ref().zip(request.recovered_on).is_some_and(|(sale, day)| day < sale.on);
        if sold_later && time_to_crime == TimeToCrime::Unknown && has_it(&chain.end) {
            time_to_crime = TimeToCrime::BeforeSale;
        }
        Ok(Traced {
            code: request.codes[0].code,
            posterior: 0.0,
            posterior_given_issued: 0.0,
            firearm: history.firearm,
            parts: Vec::new(),
            not_issued: Vec::new(),
            chain,
            time_to_crime,
            reference_withheld: false,
        })
    }

    /// The chain as entries leave it; one that ends at a licensee that went out of business says so.
    pub(crate) async fn chain_of(
        &self,
        session: &mut Session,
        entries: &[Entry],
    ) -> Result<Chain, BooksError> {
        let nowhere = || Chain {
            links: Vec::new(),
            end: ChainEnd::WithLicensee { holder: self.issuer(), since: None },
            first_sale: None,
            losses: Vec::new(),
            recoveries: Vec::new(),
            stated_by: None,
            restated: false,
            beyond: Beyond::default(),
        };
        let chain = chain(&View::Corrected.of(entries)).unwrap_or_else(nowhere);
        self.with_closure(session, chain).await
    }

    /// The chain as it was on a day; `now` is the one of all entries.
    async fn chain_at(
        &self,
        session: &mut Session,
        entries: &[Entry],
        (day, now): (Date, &Chain),
    ) -> Result<Chain, BooksError> {
        match chain_on(&View::Corrected.of(entries), day) {
            // Where it went on from there, nothing has to be asked of anybody's records.
            Some(chain) if chain.beyond.later.is_some() => Ok(chain),
            Some(chain) => self.with_closure(session, chain).await,
            None => Ok(now.clone()),
        }
    }

    async fn with_closure(&self, session: &mut Session, mut chain: Chain) -> Result<Chain, BooksError> {
        if let ChainEnd::WithLicensee { holder, .. } = &chain.end
            && let Some((closed_on, records_at)) = session.closure(holder.licence.as_str()).await?
        {
            let (holder, closed_on) = (holder.clone(), encode::day(closed_on)?);
            chain.end = ChainEnd::OutOfBusiness { holder, closed_on, records_at };
        }
        Ok(chain)
    }
}

/// Candidates by what the books know of them.
#[derive(Default)]
struct Sorted {
    issued: Vec<(CandidateCode, StoredCode)>,
    not_issued: Vec<Code>,
    elsewhere: Vec<CandidateCode>,
}

impl Sorted {
    /// Puts the likeliest issued code first and gives its share of what can be meant.
    fn share_of_best(&mut self, other: f64) -> Option<f64> {
        self.issued.sort_by(|a, b| b.0.posterior.total_cmp(&a.0.posterior));
        let best = self.issued.first()?.0.posterior;
        let issued: f64 = self.issued.iter().map(|(candidate, _)| candidate.posterior).sum();
        let elsewhere: f64 = self.elsewhere.iter().map(|candidate| candidate.posterior).sum();
        Some(best / (issued + elsewhere + other).max(f64::MIN_POSITIVE))
    }

    fn elsewhere(&self) -> Vec<Code> {
        self.elsewhere.iter().map(|candidate| candidate.code).collect()
    }

    fn ambiguous(&self) -> TraceOutcome {
        let issued = self.issued.iter().map(|(candidate, _)| candidate.code).collect();
        TraceOutcome::Ambiguous { issued, elsewhere: self.elsewhere() }
    }

    fn nothing_issued(self) -> TraceOutcome {
        if self.elsewhere.is_empty() {
            TraceOutcome::NotIssued { codes: self.not_issued }
        } else {
            TraceOutcome::NotOurs { elsewhere: self.elsewhere(), not_issued: self.not_issued }
        }
    }
}

/// The day on which a firearm was made or imported; none when that was entered in error and withdrawn.
pub(crate) fn made_on(entries: &[Entry]) -> Option<Date> {
    let mut standing = View::Corrected.of(entries).into_iter();
    standing.find(|entry| rules::is_beginning(&entry.event)).map(|entry| entry.on)
}

/// Whether a chain ends at a licensee.
fn has_it(end: &ChainEnd) -> bool {
    matches!(end, ChainEnd::WithLicensee { .. } | ChainEnd::OutOfBusiness { .. })
}

/// Leaves in a chain the reference of one sale alone: of that to the buyer who had the firearm on the day, or lost it.
fn of_the_buyer_alone(chain: &mut Chain) {
    let Some(first) = &mut chain.first_sale else { return };
    let same = match &chain.end {
        ChainEnd::RetailSale(sale) => sale == first,
        ChainEnd::Lost { .. } => chain
            .links
            .last()
            .is_some_and(|link| link.licensee.is(&first.dealer) && link.until == Some(first.on)),
        _ => false,
    };
    if !same {
        first.form_4473 = None;
    }
}

/// Takes the references of retail sales out of a chain; tells whether there were any.
fn withhold(chain: &mut Chain) -> bool {
    let mut withheld = false;
    if let ChainEnd::RetailSale(sale) = &mut chain.end {
        withheld |= sale.form_4473.take().is_some();
    }
    if let Some(sale) = &mut chain.first_sale {
        withheld |= sale.form_4473.take().is_some();
    }
    withheld
}

/// A case cannot have been fired by a firearm that was made later: a date is wrong, or the reading is.
fn not_before_it_was_made(entries: &[Entry], recovered_on: Option<Date>) -> Result<(), Refusal> {
    let standing = View::Corrected.of(entries);
    let made = standing.iter().find(|entry| rules::is_beginning(&entry.event));
    match (made, recovered_on) {
        (Some(made), Some(day)) if day < made.on => Err(Refusal::Request {
            what: format!(
                "the case was recovered on {day}, before the firearm with this code was {}",
                made.event.kind(),
            ),
            hint: "check the day of recovery and the reading",
        }),
        _ => Ok(()),
    }
}

pub(crate) fn check(request: &TraceRequest, today: Date) -> Result<(), Refusal> {
    let refuse = |what: &str, hint| Err(Refusal::Request { what: what.to_owned(), hint });
    if let Some(day) = request.recovered_on
        && lies_ahead(day, today)
    {
        let what = format!("the case was recovered on {day}, which is in the future");
        return refuse(&what, "check the day of recovery and this machine's clock");
    }
    let codes = &request.codes;
    if codes.is_empty() || codes.len() > MAX_CANDIDATES {
        return refuse("a question has 1 to 20 codes", "ask with the candidates of one reading");
    }
    let sum: f64 = codes.iter().map(|candidate| candidate.posterior).sum();
    let in_range = codes.iter().all(|candidate| (0.0..=1.0).contains(&candidate.posterior));
    if !in_range || sum > 1.0 + 1e-6 {
        return refuse(
            "the posteriors are no probabilities",
            "give them as the reader printed them; they sum to 1 at most",
        );
    }
    if codes.iter().enumerate().any(|(at, one)| codes[..at].iter().any(|before| before.code == one.code)) {
        return refuse("a code stands twice in the question", "ask with the candidates of one reading");
    }
    if request.approver.as_ref().is_some_and(|approver| approver.is(&request.requester)) {
        return Err(one_person());
    }
    let hash = request.reading_sha256.as_ref();
    if hash.is_some_and(|hash| hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return refuse("the reading's hash is not SHA-256", "give 64 hexadecimal digits");
    }
    Ok(())
}

/// The question as it is hashed; canonical JSON has no fractions, so posteriors are text.
pub(crate) fn question_record(request: &TraceRequest) -> Value {
    let code = |candidate: &CandidateCode| json!([candidate.code, format!("{:.9}", candidate.posterior)]);
    json!({
        "codes": request.codes.iter().map(code).collect::<Vec<_>>(),
        "reading_sha256": request.reading_sha256,
        "ori": request.ori, "case_number": request.case_number, "crime_code": request.crime_code,
        "priority": request.priority, "reason": request.reason,
        "requester": request.requester, "approver": request.approver, "recovered_on": request.recovered_on,
        "parts": request.parts,
    })
}

pub(crate) fn answer_record(answer: &TraceAnswer) -> Result<Value, BooksError> {
    let outcome = serde_json::to_value(&answer.outcome).map_err(BooksError::damaged)?;
    Ok(
        json!({"question": answer.question, "answer": fractions_as_text(outcome), "statement": answer.statement}),
    )
}

fn fractions_as_text(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            Value::String(format!("{:.9}", number.as_f64().unwrap_or_default()))
        }
        Value::Array(items) => items.into_iter().map(fractions_as_text).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, fractions_as_text(value))).collect()
        }
        other => other,
    }
}
