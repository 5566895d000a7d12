//! `part`: changes of marked parts, the signatures under them, and the keys of those who sign.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use registry::names::{LicenceNumber, Model, PartyName, Reason, Serial};
use registry::parts::{Change, PartyKey, PartyKind, RegisteredKey, SignedChange, Work};
use registry::{Books, Event, FirearmKey, Licensee, NewEntry, Part};
use serde_json::json;
use symbology::Code;
use transparency::{KeyKind, SigningKey, VerifierKey};

use super::books::{Holder, InBooks, WhichFirearm, day, entered, failure, open, open_to_read, wait};
use super::entries::enter;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Arguments of `part`.
#[derive(Debug, Args)]
pub(crate) struct PartCommand {
    /// What happened to the part.
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Issue a code of its own to a replacement part and enter it as fitted by the issuer.
    Replace(Own),
    /// Enter that the issuer fitted a marked part.
    Fitted(Own),
    /// Enter that the issuer removed a marked part.
    Removed(Own),
    /// Issue a code to a spare part that is not in any firearm yet.
    Spare(Spare),
    /// Sign that a marked part was fitted, removed or replaced. Needs no books: for makers, dealers and gunsmiths.
    Sign(Box<Sign>),
    /// Enter what others signed, after checking signature and key.
    Enter(Enter),
    /// Keys of those who sign.
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Args)]
struct Own {
    #[command(flatten)]
    books: InBooks,
    #[command(flatten)]
    firearm: WhichFirearm,
    #[command(flatten)]
    holder: Holder,
    /// The part: firing-pin or breech-face.
    #[arg(long)]
    part: Part,
    /// The code on the part that was fitted or removed; with `replace`, the code on the part that was taken out.
    #[arg(long)]
    code: Option<Code>,
    /// Day of the work [default: today].
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

#[derive(Debug, Args)]
struct Spare {
    #[command(flatten)]
    books: InBooks,
    /// The part: firing-pin or breech-face.
    #[arg(long)]
    part: Part,
}

#[derive(Debug, Args)]
struct Sign {
    /// The secret key, as `part key new` made it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The books it is meant for, as `issuer show` names them, such as microstamp/issuer/K7.
    #[arg(long, value_name = "BOOKS")]
    books: String,
    /// Licence of the maker or importer who marked the firearm.
    #[arg(long, value_name = "NUMBER")]
    licence: LicenceNumber,
    /// Model, as marked.
    #[arg(long)]
    model: Model,
    /// Serial number, as marked.
    #[arg(long)]
    serial: Serial,
    /// Licence of whoever did the work and signs.
    #[arg(long, value_name = "NUMBER")]
    by_licence: LicenceNumber,
    /// Name of that licensee.
    #[arg(long, value_name = "NAME")]
    by_name: PartyName,
    /// The part: firing-pin or breech-face.
    #[arg(long)]
    part: Part,
    /// The code on the part that was taken out.
    #[arg(long, value_name = "CODE", required_unless_present = "fitted")]
    removed: Option<Code>,
    /// The code on the part that was put in.
    #[arg(long, value_name = "CODE")]
    fitted: Option<Code>,
    /// Day of the work [default: today].
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Where to write the signed change.
    #[arg(short, long, default_value = "-", value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
struct Enter {
    #[command(flatten)]
    books: InBooks,
    /// Signed changes, as `part sign` writes them; each is entered by itself, in this order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Make a key pair: the secret key goes into a file, the public one is printed.
    New(NewKey),
    /// Register a public key after checking whose it is.
    Add(Box<AddKey>),
    /// Revoke a key: what was entered under it stays, nothing more is entered.
    Revoke(RevokeKey),
    /// List the registered keys.
    List(ListKeys),
}

#[derive(Debug, Args)]
struct NewKey {
    /// The file to make for the secret key.
    file: PathBuf,
    /// Name of the key, such as corner-guns.example/bench-1; no spaces, no plus sign.
    #[arg(long)]
    name: String,
}

#[derive(Debug, Args)]
struct AddKey {
    #[command(flatten)]
    books: InBooks,
    /// The public key, as `part key new` printed it.
    key: VerifierKey,
    /// Licence of the house whose key it is.
    #[arg(long, value_name = "NUMBER")]
    licence: LicenceNumber,
    /// Name of that house.
    #[arg(long)]
    name: PartyName,
    /// What that house is: maker, dealer or gunsmith.
    #[arg(long)]
    kind: PartyKind,
    /// First day on which it may sign [default: today].
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last day on which it may sign.
    #[arg(long, value_name = "DATE")]
    until: Date,
}

#[derive(Debug, Args)]
struct RevokeKey {
    #[command(flatten)]
    books: InBooks,
    /// The key: the whole of it, its name and hash, or its name alone where no other has the same.
    key: String,
    /// Why.
    #[arg(long)]
    reason: Reason,
}

#[derive(Debug, Args)]
struct ListKeys {
    /// The issuer's folder.
    #[arg(long, value_name = "DIR")]
    registry: PathBuf,
    /// Print JSON, one object a line, with the whole key.
    #[arg(long)]
    json: bool,
}

/// Enters, signs or lists what belongs to marked parts.
pub(crate) fn part(arguments: &PartCommand) -> Result<Exit, Failure> {
    let code_of =
        |own: &Own| own.code.ok_or_else(|| Exit::BadInput.because("name the code on the part with --code"));
    match &arguments.what {
        What::Replace(own) => wait(replace(own)),
        What::Fitted(own) => enter(&own.books, &own.firearm, own.on, |books| {
            let (by, code) = (own.holder.licensee(books), code_of(own)?);
            Ok((Event::PartFitted { by, part: own.part, code }, None))
        }),
        What::Removed(own) => enter(&own.books, &own.firearm, own.on, |books| {
            let (by, code) = (own.holder.licensee(books), code_of(own)?);
            Ok((Event::PartRemoved { by, part: own.part, code }, None))
        }),
        What::Spare(spare) => wait(issue_spare(spare)),
        What::Sign(arguments) => sign(arguments),
        What::Enter(arguments) => wait(enter_signed(arguments)),
        What::Key(Key::New(arguments)) => new_key(arguments),
        What::Key(Key::Add(arguments)) => wait(add_key(arguments)),
        What::Key(Key::Revoke(arguments)) => wait(revoke_key(arguments)),
        What::Key(Key::List(arguments)) => wait(list_keys(arguments)),
    }
}

async fn replace(own: &Own) -> Result<Exit, Failure> {
    let books = open(&own.books.registry).await?;
    let (firearm, on, now) = (own.firearm.key(&books), day(own.on), Timestamp::now());
    let by = &own.books.by;
    if let Some(code) = own.code {
        // Nothing is taken out before it is clear that the new one can be put in.
        books.may_replace((own.part, code), (&firearm, on), now).await.map_err(failure)?;
        let event = Event::PartRemoved { by: own.holder.licensee(&books), part: own.part, code };
        let new = NewEntry { firearm: firearm.clone(), event, on, description: None };
        books.record(&new, by, now).await.map_err(failure)?;
    }
    let code = books.issue_part(own.part, Some((&firearm, on)), by, now).await.map_err(failure)?;
    books.close().await;
    if own.books.json {
        files::print_line(json!({
            "schema": "microstamp.issued/1", "code": code, "serial": firearm.serial, "model": firearm.model, "component": own.part, "issued_at": now,
        }))?;
    } else {
        files::print_line(format!("{code}  {}  {}", firearm.serial, own.part))?;
    }
    Ok(Exit::Done)
}

async fn issue_spare(spare: &Spare) -> Result<Exit, Failure> {
    let (books, now) = (open(&spare.books.registry).await?, Timestamp::now());
    let code = books.issue_part(spare.part, None, &spare.books.by, now).await.map_err(failure)?;
    books.close().await;
    if spare.books.json {
        files::print_line(json!({
            "schema": "microstamp.issued/1", "code": code, "component": spare.part, "issued_at": now,
        }))?;
    } else {
        files::print_line(format!("{code}  {}", spare.part))?;
    }
    Ok(Exit::Done)
}

fn sign(arguments: &Sign) -> Result<Exit, Failure> {
    let key: SigningKey =
        files::read_text(&arguments.key)?.trim().parse().or_exit(Exit::BadInput, "cannot use the key")?;
    let part = arguments.part;
    let change = match (arguments.removed, arguments.fitted) {
        (Some(removed), Some(fitted)) => Work::Replaced { part, removed, fitted },
        (Some(code), None) => Work::Removed { part, code },
        (None, Some(code)) => Work::Fitted { part, code },
        (None, None) => return Err(Exit::BadInput.because("name a code with --removed, --fitted or both")),
    };
    let firearm = FirearmKey {
        licence: arguments.licence.clone(),
        model: arguments.model.clone(),
        serial: arguments.serial.clone(),
    };
    let by = Licensee { licence: arguments.by_licence.clone(), name: arguments.by_name.clone() };
    let times = (day(arguments.on), Timestamp::now());
    let signed = Change::new(&arguments.books, firearm, by, change, times).sign(&key);
    let signed = signed.or_exit(Exit::BadInput, "cannot sign")?;
    files::write(&arguments.output, signed.to_string().as_bytes())?;
    Ok(Exit::Done)
}

async fn enter_signed(arguments: &Enter) -> Result<Exit, Failure> {
    let books = open(&arguments.books.registry).await?;
    for file in &arguments.files {
        let signed = SignedChange::parse(&files::read(file)?).map_err(failure)?;
        let done = books.enter_change(&signed, &arguments.books.by, Timestamp::now()).await;
        let numbers = done.inspect_err(|_| files::remark(file.display())).map_err(failure)?;
        for number in numbers {
            entered(&arguments.books, number)?;
        }
    }
    books.close().await;
    Ok(Exit::Done)
}

fn new_key(arguments: &NewKey) -> Result<Exit, Failure> {
    let key = SigningKey::generate(&arguments.name, KeyKind::Log, &mut rand::rng());
    let key = key.or_exit(Exit::BadInput, "cannot make the key")?;
    let text = format!("{}\n", key.to_secret_text());
    files::write_secret(&arguments.file, &text).or_exit(Exit::Environment, "cannot make the key")?;
    files::print_line(key.verifier())?;
    Ok(Exit::Done)
}

async fn add_key(arguments: &AddKey) -> Result<Exit, Failure> {
    let books = open(&arguments.books.registry).await?;
    let first = arguments.from.unwrap_or_else(|| day(None));
    let after = arguments.until.tomorrow().or_exit(Exit::BadInput, "cannot use the day")?;
    let new = PartyKey {
        key: arguments.key.clone(),
        party: Licensee { licence: arguments.licence.clone(), name: arguments.name.clone() },
        kind: arguments.kind,
        valid_from: midnight(first)?,
        valid_until: midnight(after)?,
    };
    books.register_key(&new, &arguments.books.by, Timestamp::now()).await.map_err(failure)?;
    books.close().await;
    files::remark(format!("{} may sign for {} until {}", short(&new.key), new.party, arguments.until));
    Ok(Exit::Done)
}

async fn revoke_key(arguments: &RevokeKey) -> Result<Exit, Failure> {
    let books = open(&arguments.books.registry).await?;
    let key = named(&books, &arguments.key).await?;
    let revoked = books.revoke_key(&key, &arguments.reason, &arguments.books.by, Timestamp::now()).await;
    revoked.map_err(failure)?;
    books.close().await;
    files::remark(format!("{} is revoked", short(&key)));
    Ok(Exit::Done)
}

async fn list_keys(arguments: &ListKeys) -> Result<Exit, Failure> {
    let books = open_to_read(&arguments.registry).await?;
    for RegisteredKey { key, registered_at, revoked } in books.party_keys().await.map_err(failure)? {
        let (at, reason) = revoked.unzip();
        if arguments.json {
            files::print_line(json!({
                "schema": "microstamp.party-key/1", "key": key.key.to_string(), "licence": key.party.licence,
                "name": key.party.name, "kind": key.kind, "valid_from": key.valid_from,
                "valid_until": key.valid_until, "registered_at": registered_at, "revoked_at": at,
                "revoked_because": reason,
            }))?;
        } else {
            let end = at.zip(reason).map(|(at, reason)| format!("  revoked {at}: {reason}"));
            files::print_line(format!(
                "{}  {}  {}  {} to {}{}",
                short(&key.key),
                key.kind.as_str(),
                key.party,
                key.valid_from,
                key.valid_until,
                end.unwrap_or_default()
            ))?;
        }
    }
    Ok(Exit::Done)
}

/// The registered key that a person means.
async fn named(books: &Books, text: &str) -> Result<VerifierKey, Failure> {
    let keys: Vec<_> =
        books.party_keys().await.map_err(failure)?.into_iter().map(|one| one.key.key).collect();
    let means = |key: &&VerifierKey| {
        [key.to_string(), short(key), key.name().to_owned()].iter().any(|one| one == text)
    };
    let found: Vec<_> = keys.iter().filter(means).collect();
    match found.as_slice() {
        [key] => Ok((*key).clone()),
        [] => {
            Err(Exit::BadInput.because(format!("no key `{text}` is registered\nhint: see `part key list`")))
        }
        _ => Err(Exit::BadInput
            .because(format!("more than one key is called `{text}`\nhint: give its hash as well"))),
    }
}

fn short(key: &VerifierKey) -> String {
    format!("{}+{}", key.name(), hex::encode(key.id()))
}

fn midnight(day: Date) -> Result<Timestamp, Failure> {
    let moment = day.to_zoned(TimeZone::UTC).or_exit(Exit::BadInput, "cannot use the day")?;
    Ok(moment.timestamp())
}
