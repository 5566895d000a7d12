//! `issuer`: a new issuer's books, keys and log; further blocks of codes.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use registry::names::{LicenceNumber, PartyName, Person, Reason};
use registry::{Block, Books, Database, NewIssuer};
use serde_json::json;
use symbology::Prefix;

use super::books::{exact_prefix, failure, open, open_to_read, wait};
use super::succession;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `issuer`.
#[derive(Debug, Args)]
pub(crate) struct Issuer {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a new issuer: a folder with books, keys and log.
    Init(Init),
    /// Open another block of 1,048,576 codes.
    AddPrefix(AddPrefix),
    /// Show an issuer's blocks and how full they are.
    Show(Show),
    /// Compare the books with the log: every act must stand in both, and the tables must say what was done.
    Check(Show),
    /// Erase the text of questions and answers whose time is over; that they were there stays in the log.
    Erase(Erase),
    /// Enter that a licensee went out of business, and who keeps its records: chains that end with it say so.
    CloseLicensee(CloseLicensee),
    /// Enter that the clock is right although it lies behind the last act in the books, or far ahead of it, so that they go on.
    Clock(Clock),
    /// Write a copy of books, log, keys and node into a new folder, with a list of hashes. The node must not run.
    Backup(Backup),
    /// Put a copy back into a new folder after checking every file of it.
    Restore(Restore),
    /// Close the books and seal them whole for a successor; their hash is in the log before the file appears.
    HandOver(succession::HandOver),
    /// Open the books of an issuer that closed, as its successor, after checking everything in them.
    TakeOver(Box<succession::TakeOver>),
    /// Make the key to which another issuer's books can be sealed.
    SuccessorKey(succession::NewKey),
}

#[derive(Debug, Args)]
struct Backup {
    /// The issuer's folder.
    dir: PathBuf,
    /// The folder to make for the copy. It will hold the keys: keep it as safe as the books.
    to: PathBuf,
    /// Ends the books here, so that they go on where this copy is put back with `restore --latest`. Made again where the copy was lost.
    #[arg(long)]
    and_close: bool,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Erase {
    /// The issuer's folder.
    dir: PathBuf,
    /// The first day that is kept; at least a year ago.
    #[arg(long, value_name = "DATE")]
    before: Date,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
}

#[derive(Debug, Args)]
struct CloseLicensee {
    /// The issuer's folder.
    dir: PathBuf,
    /// Its licence.
    #[arg(long, value_name = "NUMBER")]
    licence: LicenceNumber,
    /// Since when it is closed.
    #[arg(long, value_name = "DATE", required_unless_present = "withdraw", requires = "records_at")]
    on: Option<Date>,
    /// Who keeps its records now, such as the Out-of-Business Records Center (27 CFR 478.127).
    #[arg(long, value_name = "NAME", requires = "on")]
    records_at: Option<PartyName>,
    /// Corrects what is recorded of it, for this reason.
    #[arg(long)]
    reason: Option<Reason>,
    /// It is not closed: takes back what is recorded.
    #[arg(long, requires = "reason", conflicts_with = "on")]
    withdraw: bool,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
}

#[derive(Debug, Args)]
struct Clock {
    /// The issuer's folder.
    dir: PathBuf,
    /// How it came about, in words that another person can check: a clock that was ahead, or books that rested.
    #[arg(long)]
    reason: Reason,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
}

#[derive(Debug, Args)]
struct Restore {
    /// The copy.
    from: PathBuf,
    /// The issuer's folder to make.
    dir: PathBuf,
    /// The books go on as they were, with a copy that closed them (`backup --and-close`), once. Without this their blocks are closed,
    /// because codes could otherwise be issued a second time (open another with `issuer add-prefix`), and their log goes on under
    /// another name.
    #[arg(long)]
    latest: bool,
    /// Put the tables on this PostgreSQL server, into an empty database, instead of into the folder.
    #[arg(long, value_name = "postgres://…")]
    database: Option<String>,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Init {
    /// The folder to make.
    dir: PathBuf,
    /// The first block's two characters, as given by the directory of prefixes.
    #[arg(long, value_parser = exact_prefix)]
    prefix: Prefix,
    /// Name as it stands on certificates.
    #[arg(long)]
    name: PartyName,
    /// Firearms licence; a maker of components may have none.
    #[arg(long, value_name = "NUMBER")]
    licence: Option<LicenceNumber>,
    /// Keep the tables on a PostgreSQL server instead of in the folder.
    #[arg(long, value_name = "postgres://…")]
    database: Option<String>,
}

#[derive(Debug, Args)]
struct AddPrefix {
    /// The issuer's folder.
    dir: PathBuf,
    /// The block's two characters.
    #[arg(long, value_parser = exact_prefix)]
    prefix: Prefix,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    by: Person,
}

#[derive(Debug, Args)]
struct Show {
    /// The issuer's folder.
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Makes, extends or shows an issuer.
pub(crate) fn issuer(arguments: &Issuer) -> Result<Exit, Failure> {
    match &arguments.what {
        What::Init(init) => wait(make(init)),
        What::AddPrefix(add) => wait(async {
            let books = open(&add.dir).await?;
            books.open_block(add.prefix, &add.by, Timestamp::now()).await.map_err(failure)?;
            books.close().await;
            Ok(Exit::Done)
        }),
        What::Show(show) => wait(blocks(show)),
        What::Check(show) => wait(check(show)),
        What::Erase(arguments) => wait(erase(arguments)),
        What::CloseLicensee(arguments) => wait(close_licensee(arguments)),
        What::Clock(clock) => wait(async {
            let books = open(&clock.dir).await?;
            books.affirm_clock(&clock.reason, &clock.by, Timestamp::now()).await.map_err(failure)?;
            books.close().await;
            Ok(Exit::Done)
        }),
        What::Backup(backup) => wait(async {
            let books = open(&backup.dir).await?;
            let now = Timestamp::now();
            let files = if backup.and_close {
                books.move_out(&backup.to, &backup.by, now).await
            } else {
                books.backup(&backup.to, &backup.by, now).await
            };
            let files = files.map_err(failure)?;
            books.close().await;
            if backup.and_close {
                files::remark(format!(
                    "the books ended here: they go on with `issuer restore {} DIR --latest`",
                    backup.to.display()
                ));
            }
            copied(&backup.to, files, backup.json)
        }),
        What::Restore(restore) => wait(put_back(restore)),
        What::HandOver(arguments) => succession::hand_over(arguments),
        What::TakeOver(arguments) => succession::take_over(arguments),
        What::SuccessorKey(arguments) => succession::new_key(arguments),
    }
}

async fn make(init: &Init) -> Result<Exit, Failure> {
    let database = database(init.database.as_deref())?;
    let (name, licence) = (init.name.clone(), init.licence.clone());
    let new = NewIssuer { name, licence, prefix: init.prefix, database };
    let books = Books::create(&init.dir, &new, Timestamp::now()).await.map_err(failure)?;
    books.close().await;
    files::remark(format!("{}: block {} is open", init.dir.display(), init.prefix));
    files::remark(
        "hint: copy the folder `keys` to a safe place; without it no code can be issued or unsealed",
    );
    Ok(Exit::Done)
}

/// Where the tables go: into the folder, or to a PostgreSQL server.
fn database(address: Option<&str>) -> Result<Database, Failure> {
    let Some(address) = address else { return Ok(Database::Embedded) };
    if !["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
        return Err(Exit::BadInput.because(
            "the database has no address of a PostgreSQL server\nhint: write postgres://user@host/database",
        ));
    }
    Ok(Database::Postgres(address.to_owned()))
}

async fn blocks(show: &Show) -> Result<Exit, Failure> {
    let books = open_to_read(&show.dir).await?;
    for block in books.blocks().await.map_err(failure)? {
        if show.json {
            files::print_line(json!({
                "schema": "microstamp.block/1", "prefix": block.prefix, "issued": block.issued, "left": block.left,
                "closed": block.is_closed(), "books": books.log_name(),
            }))?;
        } else {
            let Block { prefix, issued, left } = block;
            let left = if block.is_closed() { "closed".to_owned() } else { format!("{left} left") };
            files::print_line(format!("{prefix}  {issued} issued  {left}  {}", books.log_name()))?;
        }
    }
    if books.is_closed() {
        files::remark("nothing is added to these books any more: they were handed over, taken over or moved");
    }
    Ok(Exit::Done)
}

async fn close_licensee(close: &CloseLicensee) -> Result<Exit, Failure> {
    let (books, at) = (open(&close.dir).await?, Timestamp::now());
    let closed = close.on.zip(close.records_at.as_ref().map(PartyName::as_str));
    let closed = closed.filter(|_| !close.withdraw);
    let done = match (&close.reason, closed) {
        (Some(reason), becomes) => {
            books.correct_closing(&close.licence, becomes, (reason, &close.by), at).await
        }
        (None, Some(closed)) => books.close_licensee(&close.licence, closed, &close.by, at).await,
        (None, None) => return Err(Exit::BadInput.because("say since when: --on and --records-at")),
    };
    done.map_err(failure)?;
    if !books.names_licence(&close.licence).await.map_err(failure)? {
        files::remark(format!("no entry of these books names licence {}: check the number", close.licence));
    }
    books.close().await;
    Ok(Exit::Done)
}

async fn put_back(restore: &Restore) -> Result<Exit, Failure> {
    let database = database(restore.database.as_deref())?;
    let options = registry::Restore { database: &database, latest: restore.latest, by: &restore.by };
    let put = registry::restore(&restore.from, &restore.dir, &options, Timestamp::now()).await;
    let files = put.map_err(failure)?;
    if !restore.latest {
        // From the blocks of books that were taken over nothing is issued anyway.
        if !open_to_read(&restore.dir).await?.is_closed() {
            files::remark(
                "the blocks are closed\nhint: open another with `issuer add-prefix` before issuing",
            );
        }
        let note = restore.dir.join("keys/log.ended");
        files::remark(format!("the log goes on under another name: `{}` says so", note.display()));
    }
    copied(&restore.dir, files, restore.json)
}

/// Says what was copied where.
fn copied(folder: &Path, files: usize, json: bool) -> Result<Exit, Failure> {
    if json {
        files::print_line(json!({"schema": "microstamp.backup/1", "folder": folder, "files": files}))?;
    } else {
        files::remark(format!("{}: {files} files", folder.display()));
    }
    Ok(Exit::Done)
}

async fn erase(arguments: &Erase) -> Result<Exit, Failure> {
    let before = arguments.before.to_zoned(TimeZone::UTC).or_exit(Exit::BadInput, "cannot use the day")?;
    let now = Timestamp::now();
    let witnessed = server::witnessed_time_of_books(&arguments.dir, now).await;
    let witnessed = witnessed.or_exit(Exit::Environment, "the issuer's node cannot be used")?;
    let books = open(&arguments.dir).await?;
    let erased = books.erase(before.timestamp(), &arguments.by, (now, witnessed)).await.map_err(failure)?;
    books.close().await;
    files::print_line(format!("{erased} questions and answers erased"))?;
    Ok(Exit::Done)
}

async fn check(show: &Show) -> Result<Exit, Failure> {
    let found = open_to_read(&show.dir).await?.reconcile().await.map_err(failure)?;
    let agree = found.agrees();
    if show.json {
        files::print_line(json!({
            "schema": "microstamp.books-check/1", "agree": agree, "log_entries": found.log_entries,
            "agreed": found.agreed, "without_effect": found.without_effect, "altered": found.altered,
            "unexplained": found.unexplained, "erased": found.erased, "faults": found.faults,
            "erased_unwitnessed": found.erased_unwitnessed,
        }))?;
    } else {
        files::print_line(format!(
            "{} of {} log entries agree with the books",
            found.agreed, found.log_entries
        ))?;
        for (erased, by) in [
            (found.erased - found.erased_unwitnessed, "when their time was over, as witnesses know it"),
            (found.erased_unwitnessed, "when their time was over by this machine's clock alone"),
        ] {
            if erased > 0 {
                files::print_line(format!("{erased} questions and answers erased {by}"))?;
            }
        }
        let lists = [
            (&found.without_effect, "records without effect, cut off by a crash or refused"),
            (&found.altered, "records altered after the fact"),
            (&found.unexplained, "log entries without a record"),
        ];
        for (list, what) in lists.iter().filter(|(list, _)| !list.is_empty()) {
            files::print_line(format!("{what}: {list:?}"))?;
        }
        for fault in &found.faults {
            files::print_line(fault)?;
        }
    }
    Ok(if agree { Exit::Done } else { Exit::Negative })
}
