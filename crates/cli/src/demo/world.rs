//! Two makers, a thousand pistols, and what became of them. Every name is made up and says so.

use std::path::Path;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use registry::names::{Person, Reference};
use registry::{
    Books, Database, Description, Event, FirearmKey, FirearmKind, IssueRun, Issued, Licensee, Loss, LossKind,
    NewEntry, NewIssuer, Part, Recipient, Source,
};

use crate::exit::{Exit, Failure, OrExit as _};
use crate::progress;

/// Pistols of each maker.
pub(crate) const PISTOLS_EACH: u32 = 500;

/// One maker: the books, what was issued, and how its pins are made.
pub(crate) struct Maker {
    /// The name on certificates.
    pub(crate) name: &'static str,
    /// The pin that its codes are engraved on.
    pub(crate) tip: &'static str,
    /// The model of all its pistols.
    pub(crate) model: &'static str,
    /// The books, open.
    pub(crate) books: Books,
    /// Codes in the order of the serial numbers.
    pub(crate) issued: Vec<Issued>,
    licence: &'static str,
}

struct Plan {
    name: &'static str,
    folder: &'static str,
    prefix: &'static str,
    licence: &'static str,
    model: &'static str,
    calibre: &'static str,
    first_serial: &'static str,
    tip: &'static str,
}

const PLANS: [Plan; 2] = [
    Plan {
        name: "Aurora Arms (synthetic)",
        folder: "issuer-aurora",
        prefix: "K7",
        licence: "1-99-001-07-9A-00001",
        model: "Aurora P1",
        calibre: "9 mm Luger",
        first_serial: "AU100001",
        tip: "hemispherical:1.7mm",
    },
    Plan {
        name: "Borealis Works (synthetic)",
        folder: "issuer-borealis",
        prefix: "R4",
        licence: "1-99-002-07-9A-00002",
        model: "Borealis C9",
        calibre: ".45 ACP",
        first_serial: "BW500001",
        tip: "hemispherical:2.3mm",
    },
];

/// Which pistols fired the cases: the maker and the place in its run.
pub(crate) const GUNS: [(usize, usize); 2] = [(0, 211), (1, 77)];

/// The day on which the cases were found.
pub(crate) const RECOVERED_ON: Date = Date::constant(2026, 9, 14);
const MADE_ON: Date = Date::constant(2024, 3, 4);
const STOLEN_ON: Date = Date::constant(2025, 11, 30);

/// Makes both issuers below `root`, issues the codes and keeps their bound books up to the retail sales.
pub(crate) async fn build(root: &Path, now: Timestamp) -> Result<Vec<Maker>, Failure> {
    let mut makers = Vec::new();
    for plan in &PLANS {
        makers.push(found(root, plan, now).await?);
    }
    for (index, maker) in makers.iter().enumerate() {
        sell(maker, index, now).await?;
    }
    report_theft(&makers[GUNS[1].0], GUNS[1].1, now).await?;
    Ok(makers)
}

impl Maker {
    /// The key of the pistol at a place of the run.
    pub(crate) fn key(&self, place: usize) -> Result<FirearmKey, Failure> {
        Ok(FirearmKey {
            licence: parsed(self.licence)?,
            model: parsed(self.model)?,
            serial: self.issued[place].serial.clone(),
        })
    }

    fn licensee(&self) -> Result<Licensee, Failure> {
        licensee(self.licence, self.name)
    }
}

/// A synthetic person of a house.
pub(crate) fn clerk() -> Result<Person, Failure> {
    parsed("registrar-1 (synthetic)")
}

/// Parses a value that this file states.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Failure> {
    text.parse().or_exit(Exit::BadInput, format!("the demonstration's `{text}`"))
}

fn licensee(licence: &str, name: &str) -> Result<Licensee, Failure> {
    Licensee::new(licence, name).or_exit(Exit::BadInput, "the demonstration's licensee")
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Exit::Environment.because(format!("the demonstration's books: {error}"))
}

async fn found(root: &Path, plan: &Plan, now: Timestamp) -> Result<Maker, Failure> {
    let issuer = NewIssuer {
        name: parsed(plan.name)?,
        licence: Some(parsed(plan.licence)?),
        prefix: parsed(plan.prefix)?,
        database: Database::Embedded,
    };
    let books = Books::create(&root.join(plan.folder), &issuer, now).await.map_err(refused)?;
    let run = IssueRun {
        model: parsed(plan.model)?,
        description: Description {
            manufacturer: parsed(plan.name)?,
            importer: None,
            kind: FirearmKind::Pistol,
            calibre: parsed(plan.calibre)?,
            country: parsed("US")?,
        },
        serials: registry::serial_run(&parsed(plan.first_serial)?, PISTOLS_EACH).map_err(refused)?,
        parts: vec![Part::FiringPin, Part::BreechFace],
        prefix: None,
        made_on: MADE_ON,
        resume: false,
    };
    let mut issued = Vec::new();
    books.issue(&run, &clerk()?, now, |chunk| issued.extend_from_slice(chunk)).await.map_err(refused)?;
    let Plan { name, tip, model, licence, .. } = *plan;
    Ok(Maker { name, tip, model, books, issued, licence })
}

/// Ships every pistol to a distributor and a dealer, who sells it.
async fn sell(maker: &Maker, index: usize, now: Timestamp) -> Result<(), Failure> {
    let house = maker.licensee()?;
    let distributor = licensee("1-99-010-01-9A-00010", "Meridian Distribution (synthetic)")?;
    let dealers = [
        licensee("1-99-021-01-9A-00021", "Harbour Sporting Goods (synthetic)")?,
        licensee("1-99-022-01-9A-00022", "Old Mill Outfitters (synthetic)")?,
        licensee("1-99-023-01-9A-00023", "Northgate Range and Shop (synthetic)")?,
    ];
    let bar = progress::bar(u64::from(PISTOLS_EACH), "keeping the bound book");
    let mut entries = Vec::new();
    for place in 0..maker.issued.len() {
        let key = maker.key(place)?;
        let dealer = &dealers[(place * 7 + index) % dealers.len()];
        let shipped = MADE_ON.saturating_add((10 + (place as i64 % 20)).days());
        let sold = shipped.saturating_add((40 + (place as i64 * 37) % 400).days());
        let form: Reference = parsed(&format!("4473-{:05}", index * 10_000 + place + 1))?;
        let moves = [
            (
                Event::Disposed { holder: house.clone(), to: Recipient::Licensee(distributor.clone()) },
                shipped,
            ),
            (
                Event::Acquired { holder: distributor.clone(), source: Source::Licensee(house.clone()) },
                shipped,
            ),
            (
                Event::Disposed { holder: distributor.clone(), to: Recipient::Licensee(dealer.clone()) },
                shipped.saturating_add(9.days()),
            ),
            (
                Event::Acquired { holder: dealer.clone(), source: Source::Licensee(distributor.clone()) },
                shipped.saturating_add(11.days()),
            ),
            (Event::Disposed { holder: dealer.clone(), to: Recipient::Form4473(form) }, sold),
        ];
        for (event, on) in moves {
            entries.push(NewEntry { firearm: key.clone(), event, on, description: None });
        }
    }
    let by = clerk()?;
    for chunk in entries.chunks(500) {
        maker.books.record_all(chunk, &by, now).await.map_err(refused)?;
        bar.inc(chunk.len() as u64 / 5);
    }
    bar.finish_and_clear();
    Ok(())
}

/// The dealer's shelf was burgled: the pistol was brought back by its buyer, taken into stock, and stolen.
async fn report_theft(maker: &Maker, place: usize, now: Timestamp) -> Result<(), Failure> {
    let dealer = licensee("1-99-022-01-9A-00022", "Old Mill Outfitters (synthetic)")?;
    let by = clerk()?;
    let back = Event::Acquired { holder: dealer.clone(), source: Source::Public(parsed("BUYBACK-0012")?) };
    let loss = Loss {
        how: LossKind::Theft,
        incident: parsed("I2025-004417")?,
        police_report: Some(parsed("PR-25-88120")?),
        reported_by: None,
    };
    let lost = Event::Lost { holder: dealer, loss };
    for (event, on) in [(back, STOLEN_ON.saturating_sub(12.days())), (lost, STOLEN_ON)] {
        let entry = NewEntry { firearm: maker.key(place)?, event, on, description: None };
        maker.books.record(&entry, &by, now).await.map_err(refused)?;
    }
    Ok(())
}
