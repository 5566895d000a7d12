//! What can go wrong, sorted by who must act.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use symbology::Prefix;

use crate::event::EntryNumber;
use crate::firearm::{FirearmKey, Licensee};
use crate::names::{NameError, Serial};

/// Everything that the books can answer in place of a result.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// A value does not have its form; the person who typed it must act.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A rule of the books says no; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is stored contradicts itself; the issuer must act before the books are used again.
    #[error(
        "the books are damaged: {0}\nhint: stop, keep a copy of the folder, and restore the last backup beside it"
    )]
    Damaged(String),
    /// The folder or a file in it could not be read or written.
    #[error("{what} `{}`: {source}", path.display())]
    Folder {
        /// What was being done, such as `cannot read`.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Another writer kept the database busy for longer than the bounded retry waits.
    #[error(
        "the database stayed busy after {attempts} attempts\nhint: only one process may write at a time; try again when it has ended"
    )]
    Busy {
        /// How often it was tried.
        attempts: u32,
    },
    /// The database could not be reached or refused a statement.
    #[error("the database failed while trying to {what}: {source}")]
    Database {
        /// What was being done.
        what: &'static str,
        /// The driver's answer.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log did not take the entry, so nothing was done: no log, no answer.
    #[error("the log did not take the entry, so nothing was done: {0}")]
    Log(Box<dyn std::error::Error + Send + Sync>),
    /// This machine's clock lies behind the last act in the books, or far ahead of it, so that nothing would be dated rightly.
    #[error(
        "this machine's clock says {now}, but the last act in the books is of {last}; nothing was done\nhint: set the clock; if it is right, enter that with `issuer clock`"
    )]
    Clock {
        /// What the clock says.
        now: Timestamp,
        /// When the last act was entered.
        last: Timestamp,
    },
    /// A table that is none: what was read is no CSV or no document, or lacks what it must have.
    #[error("the table cannot be used: {0}")]
    Table(String),
    /// Where a table is read from or written to failed: the disk is full, or a file cannot be read to its end.
    #[error("the table cannot be read or written: {0}")]
    Stream(std::io::Error),
    /// A file that should be a signed change of parts or a certificate and is none, or does not hold.
    #[error("the signed text cannot be taken: {0}")]
    Statement(String),
    /// A successor's bundle is not what its issuer's log vouches for; whoever handed it over must act.
    #[error("the bundle cannot be taken over: {0}")]
    Bundle(String),
}

/// A rule that says no. Nothing was changed when it is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A block of 2^20 units is used up.
    #[error(
        "block {prefix} has {left} codes left and {wanted} are needed\nhint: open another block with `issuer add-prefix`"
    )]
    BlockExhausted {
        /// The block.
        prefix: Prefix,
        /// Units never issued.
        left: u32,
        /// Units asked for.
        wanted: u32,
    },
    /// The prefix is not among the issuer's blocks.
    #[error("block {0} is not one of this issuer's")]
    NotOurBlock(Prefix),
    /// A block cannot be opened twice.
    #[error("block {0} is open already")]
    BlockOpen(Prefix),
    /// A firearm that is in the books already.
    #[error(
        "{0} is in the books already\nhint: a serial number is used once for a model; add `--resume` to go on with a run that was cut off"
    )]
    KnownFirearm(FirearmKey),
    /// A serial number stands twice in one run.
    #[error("serial number {0} stands twice in this run")]
    SerialTwice(Serial),
    /// A firearm that is not in the books.
    #[error("{0} is not in the books\nhint: record its manufacture or acquisition first")]
    UnknownFirearm(FirearmKey),
    /// A code that was never issued from these books.
    #[error("code {0} was never issued from these books")]
    UnknownCode(String),
    /// An entry that does not exist.
    #[error("there is no entry {0} for this firearm")]
    UnknownEntry(EntryNumber),
    /// An entry that was corrected before.
    #[error("entry {entry} was corrected by entry {by} already\nhint: correct entry {by}")]
    CorrectedBefore {
        /// The entry named.
        entry: EntryNumber,
        /// The entry that corrects it.
        by: EntryNumber,
    },
    /// The event cannot follow what is in the book.
    #[error("{what}\nhint: {hint}")]
    OutOfOrder {
        /// What contradicts.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// A change of marked parts by another house, without its signature.
    #[error(
        "{0} made this change of parts, so {0} must sign it\nhint: let them use `part sign`, and enter the file with `part enter`"
    )]
    Unsigned(Licensee),
    /// A signed change of parts, or a key to sign them with, that does not hold.
    #[error("{what}\nhint: {hint}")]
    Statement {
        /// What does not hold.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// Books that were handed over, or taken over: the issuer has closed.
    #[error("{0}")]
    Closed(&'static str),
    /// A request without what the law or the house demands.
    #[error("{what}\nhint: {hint}")]
    Request {
        /// What is missing or wrong.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// Rows of an import that cannot be taken; nothing was taken.
    #[error(
        "{rejected} of {rows} rows cannot be taken, so none were\nhint: run with `--dry-run` for the list of reasons, or with `--skip-rejected` to take the rest"
    )]
    Rows {
        /// Rows refused.
        rejected: u64,
        /// Rows in the file.
        rows: u64,
    },
}

impl BooksError {
    pub(crate) fn database(what: &'static str, source: sqlx::Error) -> Self {
        Self::Database { what, source: Box::new(source) }
    }

    /// The same error once more, for everybody whom one failure keeps from an answer.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Name(error) => Self::Name(error.clone()),
            Self::Refused(refusal) => Self::Refused(refusal.clone()),
            Self::Damaged(what) => Self::Damaged(what.clone()),
            Self::Folder { what, path, source } => {
                let source = std::io::Error::new(source.kind(), source.to_string());
                Self::Folder { what, path: path.clone(), source }
            }
            Self::Busy { attempts } => Self::Busy { attempts: *attempts },
            Self::Database { what, source } => Self::Database { what, source: source.to_string().into() },
            Self::Log(error) => Self::Log(error.to_string().into()),
            Self::Table(what) => Self::Table(what.clone()),
            Self::Stream(error) => Self::Stream(std::io::Error::new(error.kind(), error.to_string())),
            Self::Statement(what) => Self::Statement(what.clone()),
            Self::Bundle(what) => Self::Bundle(what.clone()),
            Self::Clock { now, last } => Self::Clock { now: *now, last: *last },
        }
    }

    /// What the CSV reader or writer says: of the table, or of where it lies.
    pub(crate) fn table(error: csv::Error) -> Self {
        let what = error.to_string();
        match error.into_kind() {
            // A row without end is a fault of the table.
            csv::ErrorKind::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => {
                Self::Stream(error)
            }
            _ => Self::Table(what),
        }
    }

    pub(crate) fn damaged(what: impl fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }

    pub(crate) fn folder(what: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Folder { what, path: path.into(), source }
    }
}

impl Refusal {
    /// What contradicts, without what to do.
    pub(crate) fn what(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}
