//! From the entries of one firearm to the chain of possession, and what contradicts it.
//!
//! Pure functions: entries in, values out.

use jiff::Unit;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::event::{Entry, EntryNumber, Event, Loss, Recipient, Source};
use crate::firearm::Licensee;
use crate::names::{Country, PartyName, Reason, Reference};
use crate::order::in_order;

/// One licensee's possession of a firearm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the licensee was to this firearm.
    pub role: Role,
    /// Who had it.
    pub licensee: Licensee,
    /// Day of making, import or receipt; `None` when the books do not say.
    pub from: Option<Date>,
    /// Day of disposition; `None` when the books do not say or it has not happened.
    pub until: Option<Date>,
}

/// What a licensee was to a firearm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Made it.
    Manufacturer,
    /// Brought it into the country.
    Importer,
    /// Passed it on to another licensee.
    Distributor,
    /// Sold it at retail.
    Retailer,
    /// Has or had it; no disposition to anyone is in the books.
    Holder,
}

impl Role {
    /// The word used in files and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manufacturer => "manufacturer",
            Self::Importer => "importer",
            Self::Distributor => "distributor",
            Self::Retailer => "retailer",
            Self::Holder => "holder",
        }
    }
}

/// Where the chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum ChainEnd {
    /// Sold at retail.
    RetailSale(RetailSale),
    /// Stolen or lost and not recovered.
    Lost {
        /// Who had it; with [`Loss::reported_by`], who wrote it down.
        holder: Licensee,
        /// Day on which the loss was found out.
        on: Date,
        /// How, and the incident number.
        loss: Loss,
    },
    /// Sold to a government body.
    Government {
        /// Which one.
        agency: PartyName,
        /// Day of the disposition.
        on: Date,
    },
    /// Left the country.
    Export {
        /// Where to.
        country: Country,
        /// Export permit or licence.
        permit: Reference,
        /// Day of the disposition.
        on: Date,
    },
    /// Destroyed.
    Destroyed {
        /// Day of destruction.
        on: Date,
        /// Why, and how it was witnessed.
        reason: Reason,
    },
    /// The last licensee in the books went out of business; its records are elsewhere.
    OutOfBusiness {
        /// Who had it.
        holder: Licensee,
        /// Day of closing.
        closed_on: Date,
        /// Who keeps the records now.
        records_at: String,
    },
    /// The books end at a licensee who has recorded no disposition; ask there.
    WithLicensee {
        /// Who had it last.
        holder: Licensee,
        /// Since when, where the books say so.
        since: Option<Date>,
    },
}

/// A sale at retail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetailSale {
    /// The dealer, who keeps the Form 4473.
    pub dealer: Licensee,
    /// Day of sale.
    pub on: Date,
    /// Transaction number of the Form 4473 at the dealer; `None` where an answer withholds it until it is approved.
    pub form_4473: Option<Reference>,
}

/// A firearm's history as a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Licensees in the order of possession.
    pub links: Vec<Link>,
    /// How it ends.
    pub end: ChainEnd,
    /// The first sale at retail, from which time to crime counts.
    pub first_sale: Option<RetailSale>,
    /// Thefts and losses ever recorded, recovered or not.
    pub losses: Vec<(Date, Loss)>,
    /// When it was found again, and the incident that ended.
    #[serde(default)]
    pub recoveries: Vec<(Date, Reference)>,
    /// The licensee that stated the end itself, in answer to a question, where that is how it came into the books.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_by: Option<Licensee>,
    /// Whether it stated something else before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restated: bool,
    /// What the books know of the firearm beyond the day on which this chain ends; see [`chain_on`].
    #[serde(default, skip_serializing_if = "nothing")]
    pub beyond: Beyond,
}

/// What happened to a firearm besides what the chain of a day tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beyond {
    /// Whether it changed hands on the very day, so that it was with both.
    pub on_the_day: bool,
    /// The first day after it on which the books have the firearm go on from where the chain ends.
    pub later: Option<Date>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it by reference")]
fn nothing(beyond: &Beyond) -> bool {
    *beyond == Beyond::default()
}

/// Days from the first retail sale to the recovery of the case.
///
/// A short time may point to trafficking, but a firearm newly stolen shows a short time as well; so a theft report that is open, or
/// was on the day of recovery of the case, suppresses the figure. It is told of the buyer with whom the firearm was on that day; of
/// one that was back at a licensee, with a government body or abroad it would point at somebody who no longer had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeToCrime {
    /// Whole days.
    Days(i64),
    /// Withheld because the firearm is, or was on that day, reported stolen or lost under this incident number.
    SuppressedByLoss(Reference),
    /// The recovery lies before the first retail sale in the books: one of the two dates is wrong, or the reading is, or the case is
    /// of a shot at a licensee's.
    BeforeSale,
    /// It had been sold at retail, and on the day of recovery was no longer with a buyer.
    NotWithABuyer,
    /// The books or the request lack one of the two days.
    Unknown,
}

/// Builds the chain from the entries that stand (the corrected view), in any order.
///
/// `None` when no entry says who had the firearm. Gaps are bridged: a licensee who is only named as a source or
/// recipient appears with the day that is known.
pub fn chain(entries: &[&Entry]) -> Option<Chain> {
    built(&in_order(entries.to_vec()))
}

/// Builds the chain as it was at the end of a day: who had the firearm *then*, whatever became of it since. A book that begins later
/// tells of its first day.
///
/// Losses and recoveries are all that were ever recorded. A loss carries the day on which it was found out, so one that is open and
/// follows next is taken for what ended the chain, however late it was found.
pub fn chain_on(entries: &[&Entry], day: Date) -> Option<Chain> {
    let ordered = in_order(entries.to_vec());
    let day = day.max(ordered.first()?.on);
    let now = built(&ordered)?;
    let until = |day: Date| ordered.partition_point(|entry| entry.on <= day);
    let mut taken = until(day);
    let next = ordered[taken..].iter().position(|entry| moves(&entry.event));
    if let Some(next) = next.map(|next| taken + next)
        && let Event::Lost { loss, .. } = &ordered[next].event
        && !found_again(&now, (ordered[next].on, loss))
    {
        taken = next + 1;
    }
    let mut then = built(&ordered[..taken])?;
    let differs = |other: usize| built(&ordered[..other]).is_none_or(|chain| !chain.ends_as(&then));
    let before = ordered.partition_point(|entry| entry.on < day);
    then.beyond = Beyond {
        on_the_day: before > 0 && !matches!(then.end, ChainEnd::Lost { .. }) && differs(before),
        later: ordered[taken..].iter().map(|entry| entry.on).find(|later| differs(until(*later))),
    };
    (then.losses, then.recoveries) = (now.losses, now.recoveries);
    Some(then)
}

fn built(ordered: &[&Entry]) -> Option<Chain> {
    let mut builder = Builder::default();
    for entry in ordered {
        builder.take(entry);
    }
    builder.finish()
}

/// Whether an event changes who has the firearm.
fn moves(event: &Event) -> bool {
    !matches!(event, Event::PartFitted { .. } | Event::PartRemoved { .. } | Event::MultipleSale { .. })
}

impl Chain {
    /// Whether the firearm came to the same place by as many hands.
    fn ends_as(&self, other: &Self) -> bool {
        let place = |chain: &Self| match &chain.end {
            // Its day may be known better later: of sending, then of receipt.
            ChainEnd::WithLicensee { holder, .. } => {
                ChainEnd::WithLicensee { holder: holder.clone(), since: None }
            }
            end => end.clone(),
        };
        self.links.len() == other.links.len() && place(self) == place(other)
    }
}

/// Days from the chain's first retail sale to `recovered_on`; the chain is that of the day, see [`chain_on`].
pub fn time_to_crime(chain: &Chain, recovered_on: Option<Date>) -> TimeToCrime {
    if let Some((_, open)) = chain.losses.iter().find(|(on, loss)| !found_again(chain, (*on, loss))) {
        return TimeToCrime::SuppressedByLoss(open.incident.clone());
    }
    if let Some(incident) = recovered_on.and_then(|day| missing_on(chain, day)) {
        return TimeToCrime::SuppressedByLoss(incident);
    }
    let Some((sale, recovered)) = chain.first_sale.as_ref().zip(recovered_on) else {
        return TimeToCrime::Unknown;
    };
    if !matches!(chain.end, ChainEnd::RetailSale(_)) {
        return TimeToCrime::NotWithABuyer;
    }
    match sale.on.until((Unit::Day, recovered)).map(|span| span.get_days()) {
        Ok(days) if days >= 0 => TimeToCrime::Days(i64::from(days)),
        Ok(_) => TimeToCrime::BeforeSale,
        Err(_) => TimeToCrime::Unknown,
    }
}

/// Whether what a loss reported was found again, on whatever day.
fn found_again(chain: &Chain, (on, loss): (Date, &Loss)) -> bool {
    chain.recoveries.iter().any(|(again, incident)| *incident == loss.incident && on <= *again)
}

/// The incident under which the firearm was missing on a day; one found again on that very day was missing before.
fn missing_on(chain: &Chain, day: Date) -> Option<Reference> {
    let back = |on: &Date, loss: &Loss| {
        chain
            .recoveries
            .iter()
            .any(|(again, incident)| *incident == loss.incident && (*on..day).contains(again))
    };
    let open = chain.losses.iter().find(|(on, loss)| *on <= day && !back(on, loss));
    open.map(|(_, loss)| loss.incident.clone())
}

/// The entry that an order of entries shows as the newest that is still the last word; used by corrections.
pub(crate) fn corrected_by(entries: &[Entry], number: EntryNumber) -> Option<EntryNumber> {
    let corrects = |entry: &&Entry| entry.corrects.as_ref().is_some_and(|c| c.entry == number);
    entries.iter().find(corrects).map(|entry| entry.number)
}

#[derive(Default)]
struct Builder {
    links: Vec<Link>,
    end: Option<ChainEnd>,
    first_sale: Option<RetailSale>,
    losses: Vec<(Date, Loss)>,
    recoveries: Vec<(Date, Reference)>,
    /// How the chain ended before the firearm went missing, and who stated that.
    before_loss: Option<(ChainEnd, Option<(Licensee, bool)>)>,
    /// Who stated the newest end itself, and whether that corrects what it stated before.
    stated_by: Option<(Licensee, bool)>,
}

impl Builder {
    fn take(&mut self, Entry { event, on, stated, corrects, .. }: &Entry) {
        let on = *on;
        let stated_by = stated.as_ref().map(|_| (event.holder().clone(), corrects.is_some()));
        let before = std::mem::replace(&mut self.stated_by, stated_by);
        if let Event::Recovered { incident, .. } = event {
            self.recoveries.push((on, incident.clone()));
        }
        match event {
            Event::Manufactured { by } => self.begin(Role::Manufacturer, by, on),
            Event::Imported { by } => self.begin(Role::Importer, by, on),
            Event::Acquired { holder, source } => self.receive(holder, source, on),
            Event::Disposed { holder, to } => self.dispose(holder, to, on),
            Event::Lost { holder, loss } => {
                self.losses.push((on, loss.clone()));
                self.before_loss = self.end.take().map(|end| (end, before));
                self.end = Some(ChainEnd::Lost { holder: holder.clone(), on, loss: loss.clone() });
            }
            Event::Recovered { reported_by: Some(_), .. } => {
                let before = self.before_loss.take();
                (self.end, self.stated_by) = before.map_or((None, None), |(end, by)| (Some(end), by));
            }
            Event::Recovered { holder, .. } => {
                self.end = None;
                self.hold(holder, Some(on));
            }
            Event::Destroyed { holder, reason } => {
                self.hold(holder, None);
                self.end = Some(ChainEnd::Destroyed { on, reason: reason.clone() });
            }
            Event::PartFitted { .. } | Event::PartRemoved { .. } | Event::MultipleSale { .. } => {
                self.stated_by = before;
            }
        }
    }

    fn begin(&mut self, role: Role, by: &Licensee, on: Date) {
        self.links.push(Link { role, licensee: by.clone(), from: Some(on), until: None });
    }

    /// Makes `holder` the last link unless it is that already.
    fn hold(&mut self, holder: &Licensee, from: Option<Date>) {
        let last = self.links.last().filter(|link| link.licensee.is(holder) && link.until.is_none());
        if last.is_none() {
            let link = Link { role: Role::Holder, licensee: holder.clone(), from, until: None };
            self.links.push(link);
        }
    }

    fn receive(&mut self, holder: &Licensee, source: &Source, on: Date) {
        self.end = None;
        if let Some(link) =
            self.links.last_mut().filter(|link| link.licensee.is(holder) && link.until.is_none())
        {
            link.from = Some(on);
            return;
        }
        if let Source::Licensee(from) = source {
            let known = self.links.last().is_some_and(|link| link.licensee.is(from));
            if !known {
                self.hold(from, None);
            }
        }
        self.hold(holder, Some(on));
    }

    fn dispose(&mut self, holder: &Licensee, to: &Recipient, on: Date) {
        let handed_over = match (self.links.as_mut_slice(), to) {
            // The recipient's own entry was written first on the same day.
            ([.., before, last], Recipient::Licensee(to))
                if before.licensee.is(holder) && last.licensee.is(to) =>
            {
                before.until = Some(on);
                true
            }
            _ => false,
        };
        if handed_over {
            return;
        }
        self.hold(holder, None);
        let link = self.links.last_mut().expect("`hold` has just made sure of it");
        link.until = Some(on);
        match to {
            Recipient::Licensee(to) => {
                self.end = None;
                self.hold(to, Some(on));
            }
            Recipient::Form4473(form) => {
                let sale = RetailSale { dealer: holder.clone(), on, form_4473: Some(form.clone()) };
                if link.role == Role::Holder {
                    link.role = Role::Retailer;
                }
                self.first_sale.get_or_insert_with(|| sale.clone());
                self.end = Some(ChainEnd::RetailSale(sale));
            }
            Recipient::Government(agency) => {
                self.end = Some(ChainEnd::Government { agency: agency.clone(), on });
            }
            Recipient::Export { country, permit } => {
                self.end = Some(ChainEnd::Export { country: country.clone(), permit: permit.clone(), on });
            }
        }
    }

    fn finish(mut self) -> Option<Chain> {
        let last = self.links.len().checked_sub(1)?;
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.role == Role::Holder && (index < last || link.until.is_some()) {
                link.role = Role::Distributor;
            }
        }
        let holder = &self.links[last];
        let open = || ChainEnd::WithLicensee { holder: holder.licensee.clone(), since: holder.from };
        let end = self.end.take().unwrap_or_else(open);
        let Self { links, first_sale, losses, recoveries, stated_by, .. } = self;
        let restated = stated_by.as_ref().is_some_and(|(_, anew)| *anew);
        let stated_by = stated_by.map(|(by, _)| by);
        let beyond = Beyond::default();
        Some(Chain { links, end, first_sale, losses, recoveries, stated_by, restated, beyond })
    }
}
