//! What the commands on the issuer's books share: opening them, waiting for them, and how their errors end a run.

use std::future::Future;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use registry::names::{Calibre, Country, LicenceNumber, Model, PartyName, Person, Serial};
use registry::{Books, BooksError, Description, FirearmKey, FirearmKind, Licensee, Refusal};
use serde_json::json;
use symbology::{CodeError, Prefix};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;

/// Which books, and who writes in them.
#[derive(Debug, Args)]
pub(crate) struct InBooks {
    /// The issuer's folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) registry: PathBuf,
    /// Who does this, as it is written into the books.
    #[arg(long, env = "USER", hide_env_values = true, default_value = "local", value_name = "PERSON")]
    pub(crate) by: Person,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which firearm: licensee, model and serial number together.
#[derive(Debug, Args)]
pub(crate) struct WhichFirearm {
    /// Model, as marked.
    #[arg(long)]
    pub(crate) model: Model,
    /// Serial number, as marked.
    #[arg(long)]
    pub(crate) serial: Serial,
    /// Licence of the maker or importer who marked it [default: the issuer's].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) licence: Option<LicenceNumber>,
}

impl WhichFirearm {
    pub(crate) fn key(&self, books: &Books) -> FirearmKey {
        FirearmKey {
            licence: self.licence.clone().unwrap_or_else(|| books.issuer().licence),
            model: self.model.clone(),
            serial: self.serial.clone(),
        }
    }
}

/// Whose act it was.
#[derive(Debug, Args)]
pub(crate) struct Holder {
    /// Licence of the licensee whose act it was [default: the issuer's].
    #[arg(long, value_name = "NUMBER", requires = "holder_name")]
    holder_licence: Option<LicenceNumber>,
    /// Name of that licensee.
    #[arg(long, value_name = "NAME", requires = "holder_licence")]
    holder_name: Option<PartyName>,
}

impl Holder {
    pub(crate) fn licensee(&self, books: &Books) -> Licensee {
        match (&self.holder_licence, &self.holder_name) {
            (Some(licence), Some(name)) => Licensee { licence: licence.clone(), name: name.clone() },
            _ => books.issuer(),
        }
    }
}

/// What the firearm is; needed for a firearm that is not in the books yet.
#[derive(Debug, Args)]
pub(crate) struct Described {
    /// Calibre or gauge.
    #[arg(long)]
    calibre: Option<Calibre>,
    /// Manufacturer [default: the issuer; in a correction, as before].
    #[arg(long, value_name = "NAME")]
    manufacturer: Option<PartyName>,
    /// Importer.
    #[arg(long, value_name = "NAME")]
    importer: Option<PartyName>,
    /// Type: pistol, revolver, rifle, shotgun, receiver or other [default: pistol; in a correction, as before].
    #[arg(long = "type")]
    kind: Option<FirearmKind>,
    /// Country of manufacture [default: US; in a correction, as before].
    #[arg(long)]
    country: Option<Country>,
}

impl Described {
    /// The description of a firearm that may be new; nothing where nothing is said. Where the books have it, what is not said is as
    /// they have it.
    pub(crate) async fn description(
        &self,
        books: &Books,
        firearm: &FirearmKey,
    ) -> Result<Option<Description>, Failure> {
        if self.is_empty() {
            return Ok(None);
        }
        if let Some(history) = books.history(firearm).await.map_err(failure)? {
            return Ok(self.corrected(&history.firearm.description));
        }
        let calibre = self.calibre.clone().ok_or_else(|| {
            Exit::BadInput.because("a description needs the calibre\nhint: give --calibre as well")
        })?;
        if self.manufacturer.is_none() && firearm.licence != books.issuer().licence {
            return Err(Exit::BadInput.because(format!(
                "it was marked under licence {}, which is not this issuer's, and nobody says who made it\nhint: give --manufacturer",
                firearm.licence
            )));
        }
        Ok(Some(Description {
            manufacturer: self.manufacturer.clone().unwrap_or_else(|| books.issuer().name),
            importer: self.importer.clone(),
            kind: self.kind.unwrap_or(FirearmKind::Pistol),
            calibre,
            country: self
                .country
                .clone()
                .map_or_else(|| "US".parse(), Ok)
                .or_exit(Exit::BadInput, "--country")?,
        }))
    }

    /// A description with what is said put right, and all else as before; nothing where nothing is said.
    pub(crate) fn corrected(&self, before: &Description) -> Option<Description> {
        (!self.is_empty()).then(|| Description {
            manufacturer: self.manufacturer.clone().unwrap_or_else(|| before.manufacturer.clone()),
            importer: self.importer.clone().or_else(|| before.importer.clone()),
            kind: self.kind.unwrap_or(before.kind),
            calibre: self.calibre.clone().unwrap_or_else(|| before.calibre.clone()),
            country: self.country.clone().unwrap_or_else(|| before.country.clone()),
        })
    }

    fn is_empty(&self) -> bool {
        let Self { calibre, manufacturer, importer, kind, country } = self;
        calibre.is_none()
            && manufacturer.is_none()
            && importer.is_none()
            && kind.is_none()
            && country.is_none()
    }
}

/// Opens an issuer's books.
pub(crate) async fn open(folder: &Path) -> Result<Books, Failure> {
    Books::open(folder, Timestamp::now()).await.map_err(failure)
}

/// Opens an issuer's books, or a copy of them, without writing anything and without its secret keys.
pub(crate) async fn open_to_read(folder: &Path) -> Result<Books, Failure> {
    Books::open_to_read(folder).await.map_err(failure)
}

/// Runs a command on the books to its end.
pub(crate) fn wait<T>(task: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_exit(Exit::Environment, "cannot start")?.block_on(task)
}

/// A block's two characters in their one spelling. Codes are read forgivingly, but here a slip would open or use another
/// maker's block.
pub(crate) fn exact_prefix(text: &str) -> Result<Prefix, String> {
    let prefix: Prefix = text.parse().map_err(|error: CodeError| error.to_string())?;
    if prefix.to_string() == text.trim().to_uppercase() {
        Ok(prefix)
    } else {
        Err(format!(
            "`{text}` holds a letter that no block has; `{prefix}` looks like it\nhint: if that is the block, write `{prefix}`"
        ))
    }
}

/// The day given, or today.
pub(crate) fn day(given: Option<Date>) -> Date {
    given.unwrap_or_else(|| jiff::Zoned::now().date())
}

/// Prints the number of an entry that was written.
pub(crate) fn entered(in_books: &InBooks, number: u64) -> Result<Exit, Failure> {
    if in_books.json {
        files::print_line(json!({"schema": "microstamp.entry/1", "entry": number}))?;
    } else {
        files::print_line(format!("entry {number}"))?;
    }
    Ok(Exit::Done)
}

/// The exit code that tells who must act.
pub(crate) fn failure(error: BooksError) -> Failure {
    let exit = match &error {
        BooksError::Name(_)
        | BooksError::Table(_)
        | BooksError::Bundle(_)
        | BooksError::Statement(_)
        | BooksError::Refused(
            Refusal::UnknownFirearm(_)
            | Refusal::UnknownCode(_)
            | Refusal::UnknownEntry(_)
            | Refusal::SerialTwice(_)
            | Refusal::Rows { .. },
        ) => Exit::BadInput,
        BooksError::Refused(_) => Exit::Refused,
        BooksError::Folder { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Exit::BadInput,
        BooksError::Folder { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
            return Exit::BadInput
                .because(format!("{error}\nhint: name what is not there yet; nothing was touched"));
        }
        _ => Exit::Environment,
    };
    exit.because(error)
}
