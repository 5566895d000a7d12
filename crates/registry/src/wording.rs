//! Answers in sentences. The words are the house's; they promise no more than the books know.

use symbology::Code;

use crate::chain::{Chain, ChainEnd, RetailSale, TimeToCrime};
use crate::firearm::FirearmKind;
use crate::trace::{PartState, TraceOutcome, TraceRequest, Traced};

/// The outcome in sentences, and beside it what must be said with any such outcome.
pub(crate) fn statement(outcome: &TraceOutcome, request: &TraceRequest) -> Vec<String> {
    let mut lines = match outcome {
        TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => traced_lines(traced, request),
        TraceOutcome::PartNotFitted { code, parts }
            if !request.parts.is_empty() && !parts.iter().any(|one| request.parts.contains(&one.part)) =>
        {
            vec![format!(
                "code {code} was issued for {}, not for the part whose mark was read: the reading is wrong, or the mark was \
                 not made by this issuer",
                parts.iter().map(|one| one.part.as_str()).collect::<Vec<_>>().join(" and ")
            )]
        }
        TraceOutcome::InSeveralFirearms { code, parts } => several(*code, parts, request),
        TraceOutcome::PartNotFitted { code, .. } => vec![format!(
            "code {code} was issued for a part that was in no recorded firearm: a spare part, or one whose firearm was \
             entered in error; ask the issuer what became of the part"
        )],
        TraceOutcome::Ambiguous { issued, elsewhere } => ambiguous(issued, elsewhere),
        TraceOutcome::NotIssued { codes } => vec![format!(
            "{} {} never issued: the reading is wrong, or the mark was not made by this issuer",
            list(codes),
            if codes.len() == 1 { "was" } else { "were" },
        )],
        TraceOutcome::NotOurs { elsewhere, .. } => {
            vec![format!("{} belongs to another issuer; ask the directory of prefixes", list(elsewhere))]
        }
    };
    let lead = if of_box(outcome) {
        "A case is a lead to a box of cartridges, never to a person: cases can be carried to a scene."
    } else {
        "A case is a lead to a firearm, never to a person: cases can be carried to a scene, and parts can be replaced."
    };
    lines.push(lead.to_owned());
    lines
}

fn of_box(outcome: &TraceOutcome) -> bool {
    let (TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced)) = outcome else { return false };
    traced.firearm.description.kind == FirearmKind::Ammunition
}

fn traced_lines(traced: &Traced, request: &TraceRequest) -> Vec<String> {
    let firearm = &traced.firearm;
    if firearm.description.kind == FirearmKind::Ammunition {
        return box_lines(traced, request);
    }
    let mut lines = vec![format!(
        "code {} is that of the {} {} by {}, calibre {}",
        traced.code,
        firearm.description.kind.as_str(),
        firearm.key,
        firearm.description.manufacturer,
        firearm.description.calibre,
    )];
    lines.extend(among_others(traced, request));
    lines.extend(traced.parts.iter().filter(|part| !part.fitted).map(removed));
    lines.extend(traced.parts.iter().filter_map(by_a_stranger));
    lines.push(end(&traced.chain));
    lines.extend(stated(&traced.chain));
    lines.extend(beyond(&traced.chain, request));
    if let Some(sale) = &traced.chain.first_sale {
        lines.push("The first retail purchaser is not thereby a suspect.".to_owned());
        if sale.form_4473.is_none() && traced.reference_withheld {
            lines.push(
                "the Form 4473 reference is withheld until it is asked for in a second step, which someone other than the \
                 requester approves"
                    .to_owned(),
            );
        }
    }
    lines.extend(time(&traced.time_to_crime, request));
    lines
}

/// A box of serialised ammunition: sold without a Form 4473, and its rounds go anywhere.
fn box_lines(traced: &Traced, request: &TraceRequest) -> Vec<String> {
    let (key, description) = (&traced.firearm.key, &traced.firearm.description);
    let mut lines = vec![format!(
        "code {} is that of box {} of {} by {}, calibre {}",
        traced.marked_code(),
        key.serial,
        key.model,
        description.manufacturer,
        description.calibre,
    )];
    lines.push(match &traced.chain.end {
        ChainEnd::RetailSale(RetailSale { dealer, on, form_4473: Some(record) }) => {
            format!("the chain ends at {dealer}, sale record {record} of {on}")
        }
        _ => end(&traced.chain),
    });
    lines.extend(among_others(traced, request));
    lines.extend(stated(&traced.chain));
    lines.extend(beyond(&traced.chain, request));
    if traced.reference_withheld {
        lines.push(
            "the sale record is withheld until it is asked for in a second step, which someone other than the requester approves"
                .to_owned(),
        );
    }
    lines.push("Every round of a box carries its code, and rounds are lent, lost and given away.".to_owned());
    lines
}

/// Parts with one code in different firearms: told without naming any.
fn several(code: Code, parts: &[PartState], request: &TraceRequest) -> Vec<String> {
    let mut lines = vec![format!("the parts that carry code {code} were not in one firearm on that day")];
    lines.extend(parts.iter().map(|PartState { part, fitted, since, .. }| match since {
        Some(since) if *fitted => format!("the {part} was in a firearm of its own since {since}"),
        Some(since) => format!("the {part} was in no firearm since {since}, and in one of its own before"),
        None => format!("the {part} was in no recorded firearm"),
    }));
    lines.push(if request.parts.is_empty() {
        "say which part's mark was read, and ask again".to_owned()
    } else {
        "marks of both cannot be of one firearm: ask for each case and each mark by itself".to_owned()
    });
    lines
}

fn removed(part: &PartState) -> String {
    let PartState { part, since, elsewhere, .. } = part;
    match since {
        _ if *elsewhere => format!("the {part} with this code was in another firearm, not in this one"),
        Some(since) => {
            format!("the {part} with this code was not in this firearm: taken out or replaced on {since}")
        }
        None => {
            format!("the {part} with this code was not in this firearm, nor in any other that is recorded")
        }
    }
}

/// A change that nothing vouches for but the signature of whoever says to have made it.
fn by_a_stranger(part: &PartState) -> Option<String> {
    let by = part.moved_by.as_ref()?;
    let before = part.before.as_ref().map(|key| format!("; before, it was in {key}: look at both"));
    Some(format!(
        "the {} with this code was last changed by {by}, who by these books never had the firearm{}",
        part.part,
        before.unwrap_or_default()
    ))
}

fn end(chain: &Chain) -> String {
    match &chain.end {
        ChainEnd::RetailSale(sale) => match &sale.form_4473 {
            Some(form) => {
                format!("the chain ends at {}, Form 4473 transaction {form} of {}", sale.dealer, sale.on)
            }
            None => format!("the chain ends with a retail sale by {} on {}", sale.dealer, sale.on),
        },
        ChainEnd::Lost { holder, on, loss } => {
            let reporter = loss.reported_by.as_ref().map_or_else(|| holder.to_string(), ToString::to_string);
            format!(
                "the chain of lawful possession ends on {on}: {} reported by {reporter}, incident {}",
                loss.how.as_str(),
                loss.incident
            )
        }
        ChainEnd::Government { agency, on } => format!("the chain ends with a sale to {agency} on {on}"),
        ChainEnd::Export { country, permit, on } => {
            format!("the chain ends with an export to {country} on {on}, permit {permit}")
        }
        ChainEnd::Destroyed { on, reason } => {
            format!("the firearm was destroyed on {on} ({reason}); a later case was not fired by it")
        }
        ChainEnd::OutOfBusiness { holder, closed_on, records_at } => {
            format!(
                "the chain ends at {holder}, out of business since {closed_on}; its records are with {records_at}"
            )
        }
        ChainEnd::WithLicensee { holder, .. } if chain.beyond.later.is_some() => {
            format!("the chain ends in the inventory of {holder}, who had the firearm on the day of recovery")
        }
        ChainEnd::WithLicensee { holder, .. } => {
            format!("these books end at {holder}, who has recorded no disposition; ask there")
        }
    }
}

/// An end that is in the books because a dealer was asked.
fn stated(chain: &Chain) -> Option<String> {
    let by = chain.stated_by.as_ref()?;
    let before = if chain.restated { "; it stated something else before, which this corrects" } else { "" };
    Some(format!("that is what {by} states, under its own signature{before}"))
}

/// What the reading held besides this code.
fn among_others(traced: &Traced, request: &TraceRequest) -> Vec<String> {
    if request.codes.len() < 2 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "the reading leaves {} codes open and gives this one {:.1} %; it alone of them can be meant{}",
        request.codes.len(),
        // Never rounded up to certainty.
        (traced.posterior * 1000.0).floor() / 10.0,
        if traced.not_issued.is_empty() { "" } else { ", if the mark is of this issuer" },
    )];
    if !traced.not_issued.is_empty() {
        lines.push(format!(
            "never issued of those: {}; that the reading held them speaks against the reading",
            list(&traced.not_issued)
        ));
    }
    lines
}

/// That the firearm went on after the day of recovery, or came or went on that very day.
fn beyond(chain: &Chain, request: &TraceRequest) -> Vec<String> {
    let Some(day) = request.recovered_on else { return Vec::new() };
    let that_day = chain.beyond.on_the_day.then(|| {
        format!("it changed hands on {day}, the day of recovery itself: the case can be from before or after")
    });
    let later = chain.beyond.later.map(|later| {
        format!(
            "that is the chain as it was on {day}, the day of recovery; the books have it go on from {later}, with whoever had the \
             firearm afterwards"
        )
    });
    that_day.into_iter().chain(later).collect()
}

fn time(time: &TimeToCrime, request: &TraceRequest) -> Option<String> {
    match time {
        TimeToCrime::Days(days) => Some(format!("time to crime: {days} days from the first retail sale")),
        TimeToCrime::NotWithABuyer => Some(
            "time to crime is not given: on the day of recovery the firearm was no longer with a buyer"
                .to_owned(),
        ),
        TimeToCrime::SuppressedByLoss(incident) => Some(format!(
            "time to crime is not given: the firearm was reported missing under incident {incident}, so it says nothing of the buyer"
        )),
        TimeToCrime::BeforeSale => {
            let day = request.recovered_on.map(|day| day.to_string()).unwrap_or_default();
            Some(format!(
                "the recovery on {day} lies before the first retail sale: one of the dates or the reading is wrong, or the case is of a \
                 shot at a licensee's"
            ))
        }
        TimeToCrime::Unknown => None,
    }
}

fn ambiguous(issued: &[Code], elsewhere: &[Code]) -> Vec<String> {
    let mut lines = vec![format!(
        "the reading leaves more than one code open; issued of those: {}. A better reading is needed before a chain is told",
        list(issued)
    )];
    if !elsewhere.is_empty() {
        lines.push(format!("{} belongs to another issuer; ask the directory of prefixes", list(elsewhere)));
    }
    lines
}

fn list(codes: &[Code]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
