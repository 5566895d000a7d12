//! Entries of the bound book: `record`, `dispose`, `theft`.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{Country, LicenceNumber, PartyName, Reason, Reference};
use registry::{Books, Event, Licensee, Loss, LossKind, NewEntry, Recipient, Source};

use super::books::{Described, Holder, InBooks, WhichFirearm, day, entered, failure, open, wait};
use crate::exit::{Exit, Failure};

/// Arguments of `record`.
#[derive(Debug, Args)]
pub(crate) struct Record {
    #[command(flatten)]
    books: InBooks,
    #[command(flatten)]
    firearm: WhichFirearm,
    #[command(flatten)]
    holder: Holder,
    /// How it came: acquired, manufactured or imported.
    #[arg(long, default_value = "acquired", value_parser = ["acquired", "manufactured", "imported"])]
    how: String,
    /// Licence of the licensee it came from.
    #[arg(long, value_name = "NUMBER", requires = "from_name")]
    from_licence: Option<LicenceNumber>,
    /// Name of that licensee.
    #[arg(long, value_name = "NAME", requires = "from_licence")]
    from_name: Option<PartyName>,
    /// The dealer's own reference when it came from the public; never a name.
    #[arg(long, value_name = "NUMBER", conflicts_with = "from_licence")]
    reference: Option<Reference>,
    /// Day of receipt [default: today].
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    #[command(flatten)]
    description: Described,
}

/// Arguments of `dispose`.
#[derive(Debug, Args)]
pub(crate) struct Dispose {
    #[command(flatten)]
    books: InBooks,
    #[command(flatten)]
    firearm: WhichFirearm,
    #[command(flatten)]
    holder: Holder,
    /// Licence of the licensee it went to.
    #[arg(long, value_name = "NUMBER", requires = "to_name", group = "recipient")]
    to_licence: Option<LicenceNumber>,
    /// Name of that licensee.
    #[arg(long, value_name = "NAME", requires = "to_licence")]
    to_name: Option<PartyName>,
    /// Sold at retail: the Form 4473 transaction number at the dealer, in place of the purchaser; for a box of
    /// ammunition, the number of the dealer's sale record (`--sale`).
    #[arg(long, visible_alias = "sale", value_name = "NUMBER", group = "recipient")]
    form_4473: Option<Reference>,
    /// Sold to this government body.
    #[arg(long, value_name = "AGENCY", group = "recipient")]
    government: Option<PartyName>,
    /// Exported to this country.
    #[arg(long, value_name = "COUNTRY", requires = "permit", group = "recipient")]
    export: Option<Country>,
    /// Export permit or licence.
    #[arg(long, value_name = "NUMBER", requires = "export")]
    permit: Option<Reference>,
    /// Destroyed, for this reason.
    #[arg(long, value_name = "REASON", group = "recipient")]
    destroyed: Option<Reason>,
    /// One of several that one buyer bought: the number of the report (ATF F 3310.4). It is an entry of its own, beside that of
    /// the sale.
    #[arg(long, value_name = "NUMBER", group = "recipient")]
    multiple_sale: Option<Reference>,
    /// Day of disposition [default: today].
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

/// Arguments of `theft`.
#[derive(Debug, Args)]
pub(crate) struct Theft {
    #[command(flatten)]
    books: InBooks,
    #[command(flatten)]
    firearm: WhichFirearm,
    #[command(flatten)]
    holder: Holder,
    /// Incident number given by the authority.
    #[arg(long, value_name = "NUMBER")]
    incident: Reference,
    /// How it went missing: theft, loss or in-transit [default: theft].
    #[arg(long, value_parser = ["theft", "loss", "in-transit"], hide_possible_values = true, conflicts_with = "recovered")]
    how: Option<String>,
    /// Number of the local police report.
    #[arg(long, value_name = "NUMBER", conflicts_with = "recovered")]
    police_report: Option<Reference>,
    /// The police that report it, or with `--recovered` found it and gave it back, where it was missing from no
    /// licensee's inventory: a theft from its buyer. Without this the holder reports its own loss, in transit the sender.
    #[arg(long, value_name = "AGENCY", conflicts_with = "holder_licence")]
    reported_by: Option<PartyName>,
    /// It was found again: this ends the incident.
    #[arg(long)]
    recovered: bool,
    /// Day on which the loss was found out, or the firearm found again [default: today].
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
}

/// Enters an acquisition.
pub(crate) fn record(arguments: &Record) -> Result<Exit, Failure> {
    enter(&arguments.books, &arguments.firearm, arguments.on, |books| {
        let holder = arguments.holder.licensee(books);
        let from = arguments.from_licence.clone().zip(arguments.from_name.clone());
        let event = match (arguments.how.as_str(), from, &arguments.reference) {
            ("manufactured", None, None) => Event::Manufactured { by: holder },
            ("imported", None, None) => Event::Imported { by: holder },
            ("manufactured" | "imported", ..) => {
                let what = "what was made or imported came from no licensee and under no reference";
                return Err(Exit::BadInput
                    .because(format!("{what}\nhint: enter where it came from with --how acquired")));
            }
            (_, Some((licence, name)), _) => {
                Event::Acquired { holder, source: Source::Licensee(Licensee { licence, name }) }
            }
            (_, None, Some(reference)) => {
                Event::Acquired { holder, source: Source::Public(reference.clone()) }
            }
            _ => {
                return Err(Exit::BadInput
                    .because("say where it came from: --from-licence and --from-name, or --reference"));
            }
        };
        Ok((event, Some(&arguments.description)))
    })
}

/// Enters a disposition.
pub(crate) fn dispose(arguments: &Dispose) -> Result<Exit, Failure> {
    enter(&arguments.books, &arguments.firearm, arguments.on, |books| {
        let holder = arguments.holder.licensee(books);
        if let Some(reason) = &arguments.destroyed {
            return Ok((Event::Destroyed { holder, reason: reason.clone() }, None));
        }
        if let Some(reference) = &arguments.multiple_sale {
            return Ok((Event::MultipleSale { holder, reference: reference.clone() }, None));
        }
        let licensee = arguments.to_licence.clone().zip(arguments.to_name.clone());
        let export = arguments.export.clone().zip(arguments.permit.clone());
        let to = licensee
            .map(|(licence, name)| Recipient::Licensee(Licensee { licence, name }))
            .or(arguments.form_4473.clone().map(Recipient::Form4473))
            .or(arguments.government.clone().map(Recipient::Government))
            .or(export.map(|(country, permit)| Recipient::Export { country, permit }));
        let nowhere = "say where it went: --to-licence and --to-name, --form-4473, --government, --export, --destroyed or --multiple-sale";
        Ok((Event::Disposed { holder, to: to.ok_or_else(|| Exit::BadInput.because(nowhere))? }, None))
    })
}

/// Enters a theft or loss, or the recovery that ends it.
pub(crate) fn theft(arguments: &Theft) -> Result<Exit, Failure> {
    enter(&arguments.books, &arguments.firearm, arguments.on, |books| {
        let (holder, incident) = (arguments.holder.licensee(books), arguments.incident.clone());
        let reported_by = arguments.reported_by.clone();
        if arguments.recovered {
            return Ok((Event::Recovered { holder, incident, reported_by }, None));
        }
        let how = match arguments.how.as_deref() {
            Some("loss") => LossKind::Loss,
            Some("in-transit") => LossKind::InTransit,
            _ => LossKind::Theft,
        };
        let loss = Loss { how, incident, police_report: arguments.police_report.clone(), reported_by };
        Ok((Event::Lost { holder, loss }, None))
    })
}

pub(crate) fn enter<'d>(
    in_books: &InBooks,
    which: &WhichFirearm,
    on: Option<Date>,
    event: impl FnOnce(&Books) -> Result<(Event, Option<&'d Described>), Failure>,
) -> Result<Exit, Failure> {
    wait(async {
        let books = open(&in_books.registry).await?;
        let (firearm, (event, described)) = (which.key(&books), event(&books)?);
        let description = match described {
            Some(described) => described.description(&books, &firearm).await?,
            None => None,
        };
        let new = NewEntry { firearm, event, on: day(on), description };
        let number = books.record(&new, &in_books.by, Timestamp::now()).await.map_err(failure)?;
        books.close().await;
        entered(in_books, number)
    })
}
