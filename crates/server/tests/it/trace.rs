//! A trace through the federation, and every typed outcome.

use registry::{Books, Event, FirearmKey, NewEntry, Part};
use server::api::{DealerDisposition, DealerStatement, OutcomeName, Question, QuestionKind, Urgency};
use server::roles::{AskError, Asked};
use transparency::Policy;

use crate::world::{World, question, until};

fn only(mut answers: Vec<Result<Asked, AskError>>) -> Asked {
    assert_eq!(answers.len(), 1);
    answers.remove(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_comes_first_and_the_retail_reference_after_a_second_approval() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let chain = question(&[(world.codes[0], 0.9999)]);
    let asked = only(agency.ask(&chain).await.unwrap());
    assert_eq!(asked.answer.outcome, OutcomeName::Found);
    let firearm = asked.answer.firearm.unwrap();
    assert_eq!((firearm.serial.as_str(), firearm.time_to_crime_days), ("AB10001", Some(365)));
    assert!(firearm.reference_withheld && firearm.form_4473().is_none());

    let mut after = question(&[(world.codes[0], 0.9999)]);
    let second_approver = "lt. example".parse().unwrap();
    after.kind = QuestionKind::RetailReference { after: chain.id, second_approver };
    let asked = only(agency.ask(&after).await.unwrap());
    let firearm = asked.answer.firearm.unwrap();
    assert_eq!(firearm.form_4473().unwrap().as_str(), "2024-0810");
}

fn first_of(second: &Question) -> uuid::Uuid {
    let QuestionKind::RetailReference { after, .. } = second.kind else { panic!("{second:?}") };
    after
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_step_asks_what_was_approved_in_the_first() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let mut chain = question(&[(world.codes[0], 0.9999)]);
    chain.parts = vec![Part::FiringPin];
    only(agency.ask(&chain).await.unwrap());
    let second_approver = "lt. example".parse().unwrap();
    let again = QuestionKind::RetailReference { after: chain.id, second_approver };
    let urgent = Urgency::Urgent { justification: "a child is missing".parse().unwrap() };
    let changes: [fn(&mut Question, &Urgency); 10] = [
        |_, _| {},
        |asked, _| asked.approver = "Chief Justice Roberts".parse().unwrap(),
        |asked, _| {
            let second_approver = asked.requester.clone();
            asked.requester = "somebody else".parse().unwrap();
            asked.kind = QuestionKind::RetailReference { after: first_of(asked), second_approver };
        },
        |asked, _| asked.crime_code = "1299".parse().unwrap(),
        |asked, urgent| asked.priority = urgent.clone(),
        |asked, _| asked.reason = "something else altogether".parse().unwrap(),
        |asked, _| asked.reading_sha256 = Some("ab".repeat(32)),
        |asked, _| asked.recovered_on = None,
        |asked, _| asked.parts.clear(),
        |asked, _| asked.codes[0].posterior = 0.9998,
    ];
    for (at, change) in changes.iter().enumerate() {
        let mut after = Question { id: uuid::Uuid::now_v7(), kind: again.clone(), ..chain.clone() };
        change(&mut after, &urgent);
        let answer = only(agency.ask(&after).await.unwrap()).answer;
        let outcome = if at == 0 { OutcomeName::Found } else { OutcomeName::NotAuthorised };
        assert_eq!(answer.outcome, outcome, "change {at}: {:?}", answer.statement);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_told_of_the_firearm_whose_chain_was_told_and_of_no_other() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let chain = question(&[(world.codes[0], 0.9999)]);
    only(agency.ask(&chain).await.unwrap());
    let [known, other] = [world.codes[0], world.codes[1]];
    for codes in [vec![(other, 0.999), (known, 0.001)], vec![(other, 1.0)], vec![(known, 0.5), (other, 0.5)]]
    {
        let mut after = question(&codes);
        let second_approver = "lt. example".parse().unwrap();
        after.kind = QuestionKind::RetailReference { after: chain.id, second_approver };
        let asked = only(agency.ask(&after).await.unwrap());
        assert_eq!(asked.answer.outcome, OutcomeName::NotAuthorised, "{codes:?}");
        assert!(asked.answer.firearm.is_none() && asked.answer.statement[0].contains("after the chain"));
        assert!(!asked.sealed.statement.contains("2024-0811"), "another firearm's reference was told");
    }
}

/// The code's parts go from the fourth pistol into the fifth, both at their maker.
async fn moved(world: &World) {
    moved_parts(world, &Part::ALL).await;
}

/// The pin alone does.
async fn part_moved(world: &World) {
    moved_parts(world, &[Part::FiringPin]).await;
}

async fn moved_parts(world: &World, parts: &[Part]) {
    let now = world.clock.now();
    let books = Books::open(&world.path("issuer"), now).await.unwrap();
    let (by, clerk) = (books.issuer(), "clerk".parse().unwrap());
    let [code, other] = [world.codes[3], world.codes[4]];
    let removed = |part, code| Event::PartRemoved { by: by.clone(), part, code };
    let fitted = |part| Event::PartFitted { by: by.clone(), part, code };
    let steps = parts.iter().flat_map(|part| {
        [
            ("AB10004", removed(*part, code), "2025-05-01"),
            ("AB10005", removed(*part, other), "2025-05-01"),
            ("AB10005", fitted(*part), "2025-05-02"),
        ]
    });
    let steps: Vec<_> = steps.collect();
    for (serial, event, on) in steps {
        let firearm = FirearmKey {
            licence: by.licence.clone(),
            model: "M9".parse().unwrap(),
            serial: serial.parse().unwrap(),
        };
        let entry = NewEntry { firearm, event, on: on.parse().unwrap(), description: None };
        books.record(&entry, &clerk, now).await.unwrap();
    }
    books.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_parts_moved_does_not_bring_the_reference_of_another_firearm() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    moved(&world).await;
    let asked_of = |day: &str| {
        let mut asked = question(&[(world.codes[3], 0.9999)]);
        asked.recovered_on = Some(day.parse().unwrap());
        asked
    };
    let chain = asked_of("2025-04-01");
    let answer = only(agency.ask(&chain).await.unwrap()).answer;
    assert_eq!(answer.firearm.as_ref().map(|firearm| firearm.serial.as_str()), Some("AB10004"), "{answer:?}");
    let later = only(agency.ask(&asked_of("2025-06-01")).await.unwrap()).answer;
    let serial = later.firearm.as_ref().map(|firearm| firearm.serial.as_str());
    assert_eq!(serial, Some("AB10005"), "on that day they were in the other one: {later:?}");
    for (day, outcome) in [
        ("2025-06-01", OutcomeName::NotAuthorised),
        ("2025-04-02", OutcomeName::NotAuthorised),
        ("2025-04-01", OutcomeName::ChainEnds),
    ] {
        let mut after = asked_of(day);
        let second_approver = "lt. example".parse().unwrap();
        after.kind = QuestionKind::RetailReference { after: chain.id, second_approver };
        let answer = only(agency.ask(&after).await.unwrap()).answer;
        assert_eq!(answer.outcome, outcome, "{day}: {:?}", answer.statement);
        let told = answer.firearm.map(|firearm| firearm.serial);
        assert_eq!(told.is_some(), outcome == OutcomeName::ChainEnds, "{day}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_which_part_was_read_is_told_of_its_firearm() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    part_moved(&world).await;
    let ask = async |parts: &[Part]| {
        let mut asked = question(&[(world.codes[3], 0.9999)]);
        asked.recovered_on = Some("2025-06-01".parse().unwrap());
        asked.parts = parts.to_vec();
        agency.ask(&asked).await.unwrap().remove(0)
    };
    for (parts, serial) in [
        (&[][..], None),
        (&[Part::FiringPin][..], Some("AB10005")),
        (&[Part::BreechFace][..], Some("AB10004")),
        (&[Part::FiringPin, Part::BreechFace][..], None),
    ] {
        let answer = ask(parts).await.unwrap().answer;
        let told = answer.firearm.as_ref().map(|firearm| firearm.serial.as_str());
        assert_eq!(told, serial, "{parts:?}: {:?}", answer.statement);
    }
    let twice = ask(&[Part::FiringPin, Part::FiringPin]).await.unwrap_err();
    assert!(matches!(twice, AskError::Refused { status: 400, .. }), "{twice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_that_cannot_be_seen_are_no_part_of_a_question() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let asked_with = |field: &str, text: &str| {
        let mut asked = serde_json::to_value(question(&[(world.codes[0], 1.0)])).unwrap();
        asked[field] = text.into();
        serde_json::from_value::<Question>(asked)
    };
    // What is no such text at all never becomes a question.
    for (field, text) in [
        ("case_number", "26-\u{202e}1000"),
        ("case_number", "26-\u{200b}0001"),
        ("reason", "case recovered\u{2066} at a scene"),
    ] {
        let refused = asked_with(field, text).unwrap_err().to_string();
        assert!(refused.contains("cannot be seen"), "{field}: {refused}");
    }
    // Of persons the node tells.
    for (field, text) in [("requester", "det. \u{202e}elpmaxe"), ("approver", "sgt.\u{200f} example")] {
        let asked = asked_with(field, text).unwrap();
        let refused = agency.ask(&asked).await.unwrap().remove(0).unwrap_err();
        let AskError::Refused { status: 400, detail, .. } = &refused else { panic!("{field}: {refused}") };
        assert!(detail.contains(field), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_asked_is_refused_signed_and_logged() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let code = world.codes[0];
    let base = || question(&[(code, 0.9999)]);
    let mut one_person = base();
    one_person.approver = one_person.requester.clone();
    let mut same_person = base();
    same_person.requester = "Det.  EXAMPLE".parse().unwrap();
    same_person.approver = "det. exa\u{200b}mple".parse().unwrap();
    let mut foreign = base();
    foreign.ori = "NY0300000".parse().unwrap();
    let mut too_early = base();
    let second_approver = "lt. example".parse().unwrap();
    too_early.kind = QuestionKind::RetailReference { after: uuid::Uuid::now_v7(), second_approver };
    for (refused, word) in [
        (one_person, "same person"),
        (same_person, "same person"),
        (foreign, "ORI"),
        (too_early, "after the chain"),
    ] {
        let asked = only(agency.ask(&refused).await.unwrap());
        assert_eq!(asked.answer.outcome, OutcomeName::NotAuthorised);
        assert!(asked.answer.firearm.is_none() && asked.answer.statement[0].contains(word), "{word}");
        assert!(asked.sealed.evidence.answer.record.contains("not-authorised"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncertain_reading_is_told_only_what_is_issued_and_nobody_can_fish() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let two = [(world.codes[0], 0.6), (world.codes[1], 0.4)];
    for _ in 0..3 {
        let answer = only(agency.ask(&question(&two)).await.unwrap()).answer;
        assert_eq!((answer.outcome, answer.issued.len()), (OutcomeName::Ambiguous, 2));
        assert!(answer.firearm.is_none());
    }
    let answer = only(agency.ask(&question(&two)).await.unwrap()).answer;
    assert_eq!((answer.outcome, answer.issued.len()), (OutcomeName::NotAuthorised, 0));

    // The limit holds after a restart, and another case is another case.
    drop(agency);
    world.restart("issuer").await;
    let agency = world.agency().await;
    let answer = only(agency.ask(&question(&two)).await.unwrap()).answer;
    assert_eq!(answer.outcome, OutcomeName::NotAuthorised);
    let mut other = question(&two);
    other.case_number = "26-0002".parse().unwrap();
    assert_eq!(only(agency.ask(&other).await.unwrap()).answer.outcome, OutcomeName::Ambiguous);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_issuer_of_a_reading_is_asked_and_none_speaks_for_another() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let answers = agency.ask(&question(&[(world.codes[0], 0.5), (world.others[0], 0.5)])).await.unwrap();
    assert_eq!(answers.len(), 2);
    for asked in answers {
        let answer = asked.unwrap().answer;
        assert_eq!(answer.outcome, OutcomeName::Ambiguous);
        assert_eq!((answer.issued.len(), answer.elsewhere.len()), (1, 1));
    }
    let never: symbology::Code = unissued(&world);
    let answer = only(agency.ask(&question(&[(never, 1.0)])).await.unwrap()).answer;
    assert_eq!(answer.outcome, OutcomeName::NotIssued);
}

pub(crate) fn unissued(world: &World) -> symbology::Code {
    (0..1_000)
        .map(|unit| symbology::UnitNumber::new(unit).unwrap())
        .map(|unit| symbology::SealingKey::new(&[1; 32], "other").seal(world.codes[0].prefix(), unit))
        .find(|code| !world.codes.contains(code))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dealer_answers_its_own_part_and_the_clock_runs() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let issuer = world.node("issuer").card();
    let asked_question = question(&[(world.codes[2], 1.0)]);
    let answer = only(agency.ask(&asked_question).await.unwrap()).answer;
    assert_eq!(answer.outcome, OutcomeName::ChainEnds);
    let pending = answer.pending.unwrap();
    assert!(pending.can_answer);
    assert_eq!(pending.due.as_second() - answer.answered_at.as_second(), 24 * 3600);

    let dealer = world.dealer();
    let list = dealer.open_questions(&issuer).await.unwrap();
    assert_eq!(list["open"][0]["serial"], "AB10003");
    world.clock.set_offset(25 * 3600);
    until("it is overdue", async || world.metrics("issuer").await.contains("microstamp_pending_overdue 1"))
        .await;

    let statement = DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: asked_question.id,
        by: "clerk 7".parse().unwrap(),
        disposition: DealerDisposition::RetailSale {
            on: "2024-05-05".parse().unwrap(),
            form_4473: "2024-0999".parse().unwrap(),
        },
    };
    for absurd in ["1900-01-01", "2024-01-31", "2090-01-01"] {
        let mut wrong = statement.clone();
        let form_4473 = "2024-0999".parse().unwrap();
        wrong.disposition = DealerDisposition::RetailSale { on: absurd.parse().unwrap(), form_4473 };
        assert!(dealer.state(&issuer, &wrong).await.is_err(), "{absurd}");
    }
    let receipt = dealer.state(&issuer, &statement).await.unwrap();
    assert_eq!(dealer.state(&issuer, &statement).await.unwrap(), receipt, "one statement, one entry");
    let answer = agency.ask_again(&issuer.name, asked_question.id).await.unwrap().answer;
    let report = crate::court::bundle_that_verifies(&world, &agency, asked_question.id).await;
    assert_eq!(report.answer, answer, "what the dealer said is brought to court");
    assert_eq!(answer.outcome, OutcomeName::Found);
    assert!(!answer.statement.iter().any(|line| line.contains("ask there")), "{:?}", answer.statement);
    let firearm = answer.firearm.unwrap();
    assert!(firearm.form_4473().is_none(), "withheld until the second approval");
    assert_eq!((firearm.time_to_crime_days, firearm.time_to_crime.as_str()), (Some(331), "known"));
    assert_eq!(firearm.chain.last().unwrap().until, Some("2024-05-05".parse().unwrap()));

    // Another question about the same firearm does not wait again.
    let answer = only(agency.ask(&question(&[(world.codes[2], 0.9999)])).await.unwrap()).answer;
    assert_eq!((answer.outcome, answer.pending), (OutcomeName::Found, None));
    assert!(answer.firearm.unwrap().form_4473().is_none());

    let mut after = question(&[(world.codes[2], 1.0)]);
    let second_approver = "lt. example".parse().unwrap();
    after.kind = QuestionKind::RetailReference { after: asked_question.id, second_approver };
    let answer = only(agency.ask(&after).await.unwrap()).answer;
    assert_eq!(answer.firearm.unwrap().form_4473().unwrap().as_str(), "2024-0999");
    assert!(answer.statement.iter().any(|line| line.contains("2024-0999")), "{:?}", answer.statement);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_that_was_approved_before_the_dealer_spoke_is_told_once_it_has() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let issuer = world.node("issuer").card();
    let chain = question(&[(world.codes[2], 1.0)]);
    assert_eq!(only(agency.ask(&chain).await.unwrap()).answer.outcome, OutcomeName::ChainEnds);
    let mut approved = question(&[(world.codes[2], 1.0)]);
    let second_approver = "lt. example".parse().unwrap();
    approved.kind = QuestionKind::RetailReference { after: chain.id, second_approver };
    assert_eq!(only(agency.ask(&approved).await.unwrap()).answer.outcome, OutcomeName::ChainEnds);
    let statement = DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: approved.id,
        by: "clerk 7".parse().unwrap(),
        disposition: DealerDisposition::RetailSale {
            on: "2024-05-05".parse().unwrap(),
            form_4473: "2024-0999".parse().unwrap(),
        },
    };
    world.dealer().state(&issuer, &statement).await.unwrap();
    let told = agency.ask_again(&issuer.name, approved.id).await.unwrap().answer;
    let firearm = told.firearm.unwrap();
    assert_eq!((told.outcome, firearm.reference_withheld), (OutcomeName::Found, false));
    assert_eq!(firearm.form_4473().unwrap().as_str(), "2024-0999");
    // The chain alone was approved for the first question.
    let chain = agency.ask_again(&issuer.name, chain.id).await.unwrap();
    assert_eq!(chain.answer.outcome, OutcomeName::Found, "stated once, it holds for the firearm");
    assert!(!chain.sealed.statement.contains("2024-0999"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_the_books_is_shown_and_cosigned_too() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let directory = agency.directory.current(world.clock.now()).unwrap();
    let card = &directory.content().issuers[0];
    let policy = directory.policy(card.books_log.as_ref().unwrap()).unwrap();
    let url = format!("{}/books-log", card.node.url);
    let mut sizes = Vec::new();
    until("the log of the books is cosigned", async || {
        let (status, bytes) = world.client.get(&format!("{url}/cosigned")).await.unwrap();
        if status == 200 {
            let signed = transparency::SignedCheckpoint::parse(&bytes).unwrap();
            assert!(policy.check(&signed).unwrap().witnesses.len() >= 2);
            if sizes.last() != Some(&signed.checkpoint.size) {
                sizes.push(signed.checkpoint.size);
                // An entry by one of the books' own commands, beside the running node.
                let books = Books::open(&world.path("issuer"), world.clock.now()).await.unwrap();
                let by = "clerk".parse().unwrap();
                books.issue_part(Part::FiringPin, None, &by, world.clock.now()).await.unwrap();
                books.close().await;
            }
        }
        sizes.len() >= 2
    })
    .await;
    assert!(sizes[1] > sizes[0], "{sizes:?}");
    let (status, tile) = world.client.get(&format!("{url}/tile/0/000.p/1")).await.unwrap();
    assert!(status == 404 || tile.len() == 32, "tiles are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_logs_are_cosigned_by_a_quorum_and_agree_with_their_records() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let asked = only(agency.ask(&question(&[(world.codes[1], 1.0)])).await.unwrap());
    let directory = agency.directory.current(world.clock.now()).unwrap();
    let issuer = world.node("issuer").card();
    let policy: Policy = directory.policy(&issuer.log).unwrap();
    let url = format!("{}/log/cosigned", issuer.url);
    let mut signed = None;
    until("a quorum cosigns question and answer", async || {
        let (status, bytes) = world.client.get(&url).await.unwrap();
        signed = (status == 200).then(|| transparency::SignedCheckpoint::parse(&bytes).unwrap());
        signed.as_ref().is_some_and(|one| one.checkpoint.size > asked.sealed.evidence.answer.index)
    })
    .await;
    let signed = signed.unwrap();
    assert!(policy.check(&signed).unwrap().witnesses.len() >= 2);
    world.stop("issuer").await;
    let check = server::Ledger::check(&world.path("issuer").join("node"), &signed, None).unwrap();
    assert_eq!((check.agreed, check.entries), (2, 2));
}
