//! The books from which an issuer's node answers: its own, and those of issuers that closed and named it their successor.
//!
//! Books that were taken over (`microstamp issuer take-over`) are read and never written. They are asked only while the
//! directory holds the closed issuer's signed delegation to this node; without it their codes are nobody's.

use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use registry::{Books, BooksError, CandidateCode, Licensee, TraceOutcome, TraceRequest};
use symbology::{Code, Prefix};

use crate::api::FirearmAnswer;

/// One's own books, and others' beside them.
pub(super) struct Houses {
    own: Books,
    taken: Vec<Taken>,
}

struct Taken {
    books: Books,
    blocks: Vec<Prefix>,
}

/// What the books say of a question.
pub(super) struct Weighed {
    pub(super) outcome: TraceOutcome,
    pub(super) statement: Vec<String>,
    /// Whose books said it.
    pub(super) issuer: Licensee,
}

impl Houses {
    /// Opens an issuer's own folder, and the folders that it took over; their paths are relative to its own.
    pub(super) async fn open(data: &Path, taken_over: &[String], now: Timestamp) -> Result<Self, BooksError> {
        let own = Books::open(data, now).await?;
        let mut taken = Vec::new();
        for folder in taken_over {
            let books = Books::open(&data.join(folder), now).await?;
            let blocks = books.blocks().await?.iter().map(|block| block.prefix).collect();
            taken.push(Taken { books, blocks });
        }
        Ok(Self { own, taken })
    }

    /// One's own books.
    pub(super) fn own(&self) -> &Books {
        &self.own
    }

    /// Whether and when a code was issued, by this issuer or by one that closed.
    pub(super) async fn issued(&self, code: Code) -> Result<Option<Timestamp>, BooksError> {
        self.of(code).issued(code).await
    }

    /// The books that a code belongs to: those that were taken over, or one's own.
    pub(super) fn of(&self, code: Code) -> &Books {
        let of_taken = self.taken.iter().find(|taken| taken.blocks.contains(&code.prefix()));
        of_taken.map_or(&self.own, |taken| &taken.books)
    }

    /// Whether a block is one's own, or of books that were taken over.
    pub(super) async fn holds(&self, block: Prefix) -> Result<bool, BooksError> {
        Ok(self.took_over(block) || self.own.blocks().await?.iter().any(|own| own.prefix == block))
    }

    /// Whether books that were taken over hold a block.
    pub(super) fn took_over(&self, block: Prefix) -> bool {
        self.taken.iter().any(|taken| taken.blocks.contains(&block))
    }

    /// Asks each of the books for the codes of its blocks; one's own also for those that are nobody's here. What a code
    /// of other books weighs counts in each as what the reading left open, so at most one can be certain. `delegated` says
    /// whether this node answers for a closed issuer's block now.
    pub(super) async fn weigh(
        &self,
        request: &TraceRequest,
        today: Date,
        delegated: impl Fn(Prefix) -> bool,
    ) -> Result<Weighed, BooksError> {
        let of = |block: Prefix| {
            self.taken.iter().position(|taken| taken.blocks.contains(&block) && delegated(block))
        };
        let mut all: Option<Weighed> = None;
        for at in (0..self.taken.len()).map(Some).chain([None]) {
            let codes: Vec<CandidateCode> =
                request.codes.iter().filter(|one| of(one.code.prefix()) == at).copied().collect();
            // A question without any code is refused by the books themselves.
            if codes.is_empty() && !request.codes.is_empty() {
                continue;
            }
            let books = at.map_or(&self.own, |at| &self.taken[at].books);
            let (outcome, statement) = books.weigh(&TraceRequest { codes, ..request.clone() }, today).await?;
            let one = Weighed { outcome, statement, issuer: books.issuer() };
            all = Some(match all {
                Some(before) => before.and(one),
                None => one,
            });
        }
        Ok(all.expect("every code is one of some books, and without a code one's own are asked"))
    }
}

impl Weighed {
    /// The code of the firearm that it tells of.
    pub(super) fn code(&self) -> Option<Code> {
        match &self.outcome {
            TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => Some(traced.code),
            _ => None,
        }
    }

    /// Whether it tells of the firearm that was told of before, by the same code.
    pub(super) fn tells_of(&self, before: &FirearmAnswer) -> bool {
        let (TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced)) = &self.outcome else {
            return false;
        };
        let key = &traced.firearm.key;
        traced.code == before.code
            && key.licence == before.licence
            && key.model.to_string() == before.model
            && key.serial.to_string() == before.serial
            && before.names_sale(&traced.chain)
    }

    /// Two books' answers as one: the one that names a part or a firearm, or what both know of the codes.
    fn and(self, other: Self) -> Self {
        let of_a_part = |outcome: &TraceOutcome| {
            matches!(outcome, TraceOutcome::PartNotFitted { .. } | TraceOutcome::InSeveralFirearms { .. })
        };
        let names = |one: &Self| one.code().is_some() || of_a_part(&one.outcome);
        if names(&self) {
            return self;
        }
        if names(&other) {
            return other;
        }
        let mut statement = self.statement;
        statement.retain(|line| !other.statement.contains(line));
        statement.extend(other.statement);
        let (mut issued, mut elsewhere, mut not_issued) = (Vec::new(), Vec::new(), Vec::new());
        for outcome in [self.outcome, other.outcome] {
            match outcome {
                TraceOutcome::Ambiguous { issued: some, elsewhere: others } => {
                    issued.extend(some);
                    elsewhere.extend(others);
                }
                TraceOutcome::NotIssued { codes } => not_issued.extend(codes),
                TraceOutcome::NotOurs { elsewhere: others, not_issued: none } => {
                    elsewhere.extend(others);
                    not_issued.extend(none);
                }
                TraceOutcome::Found(_)
                | TraceOutcome::ChainEnds(_)
                | TraceOutcome::PartNotFitted { .. }
                | TraceOutcome::InSeveralFirearms { .. } => {}
            }
        }
        let outcome = if !issued.is_empty() {
            TraceOutcome::Ambiguous { issued, elsewhere }
        } else if elsewhere.is_empty() {
            TraceOutcome::NotIssued { codes: not_issued }
        } else {
            TraceOutcome::NotOurs { elsewhere, not_issued }
        };
        Self { outcome, statement, issuer: other.issuer }
    }
}
