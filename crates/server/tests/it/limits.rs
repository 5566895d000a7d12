//! Nobody reads an issuer's book out code by code.

use server::api::{Answer, OutcomeName};
use server::federation::FishingRules;
use server::roles::{Agency, AskError};

use crate::world::{World, question};

/// Asks for a code that was typed by hand.
async fn typed(agency: &Agency, code: symbology::Code, case: &str) -> Answer {
    let mut question = question(&[(code, 1.0)]);
    question.case_number = case.parse().unwrap();
    (question.reading_sha256, question.typed_by) = (None, Some("det. example".parse().unwrap()));
    agency.ask(&question).await.unwrap().remove(0).unwrap().answer
}

async fn ask(agency: &Agency, code: symbology::Code, case: &str) -> OutcomeName {
    let mut question = question(&[(code, 1.0)]);
    question.case_number = case.parse().unwrap();
    agency.ask(&question).await.unwrap().remove(0).unwrap().answer.outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_firearms_are_told_for_a_case_and_an_agency_and_no_more() {
    let mut world = World::start().await;
    world.fishing = FishingRules { firearms_per_case: 2, firearms_per_agency: 4, ..FishingRules::default() };
    world.restart("issuer").await;
    let agency = world.agency().await;
    let codes = world.codes.clone();
    assert_eq!(ask(&agency, codes[0], "26-0001").await, OutcomeName::Found);
    assert_eq!(ask(&agency, codes[1], "26-0001").await, OutcomeName::Found);
    assert_eq!(ask(&agency, codes[0], "26-0001").await, OutcomeName::Found, "the same firearm counts once");
    assert_eq!(ask(&agency, codes[2], "26-0001").await, OutcomeName::NotAuthorised, "a third of one case");
    assert_eq!(ask(&agency, codes[2], "26-0002").await, OutcomeName::ChainEnds);
    // A restart forgets nothing.
    world.restart("issuer").await;
    assert_eq!(ask(&agency, codes[3], "26-0001").await, OutcomeName::NotAuthorised);
    assert_eq!(ask(&agency, codes[3], "26-0003").await, OutcomeName::ChainEnds);
    assert_eq!(ask(&agency, codes[4], "26-0004").await, OutcomeName::NotAuthorised, "a fifth of the agency");
    world.clock.set_offset(25 * 3_600);
    assert_eq!(ask(&agency, codes[4], "26-0004").await, OutcomeName::ChainEnds, "a day later");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_names_its_reading_or_who_typed_it_and_typing_gets_less() {
    let mut world = World::start().await;
    world.fishing = FishingRules { typed_per_case: 1, typed_per_agency: 2, ..FishingRules::default() };
    world.restart("issuer").await;
    let agency = world.agency().await;
    let codes = world.codes.clone();
    let answer = typed(&agency, codes[0], "26-0001").await;
    assert_eq!(answer.outcome, OutcomeName::Found);
    assert_eq!(answer.typed_by.unwrap().as_str(), "det. example");
    assert!(answer.statement.iter().any(|line| line.contains("typed by hand")), "{:?}", answer.statement);
    assert_eq!(typed(&agency, codes[1], "26-0001").await.outcome, OutcomeName::NotAuthorised);
    assert_eq!(typed(&agency, codes[1], "26-0002").await.outcome, OutcomeName::Found);
    world.restart("issuer").await;
    assert_eq!(typed(&agency, codes[3], "26-0003").await.outcome, OutcomeName::NotAuthorised);
    assert_eq!(ask(&agency, codes[3], "26-0003").await, OutcomeName::ChainEnds, "with a reading");
    // Neither or both: nobody's word, or two.
    let mut neither = question(&[(codes[0], 1.0)]);
    let hash = neither.reading_sha256.take();
    let refused = agency.ask(&neither).await.unwrap().remove(0).unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 400, .. }), "{refused}");
    let mut both = question(&[(codes[0], 1.0)]);
    (both.reading_sha256, both.typed_by) = (hash, Some("det. example".parse().unwrap()));
    let refused = agency.ask(&both).await.unwrap().remove(0).unwrap_err();
    assert!(matches!(refused, AskError::Refused { status: 400, .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_reading_tells_of_one_firearm() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let mut outcomes = Vec::new();
    for at in [0, 0, 1] {
        let mut question = question(&[(world.codes[at], 1.0)]);
        question.reading_sha256 = Some("cd".repeat(32));
        question.case_number = format!("26-000{at}").parse().unwrap();
        outcomes.push(agency.ask(&question).await.unwrap().remove(0).unwrap().answer.outcome);
    }
    assert_eq!(outcomes, [OutcomeName::Found, OutcomeName::Found, OutcomeName::NotAuthorised]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_older_than_the_firearm_counts_and_tells_no_day() {
    let mut world = World::start().await;
    world.fishing = FishingRules { firearms_per_case: 1, ..FishingRules::default() };
    world.restart("issuer").await;
    let agency = world.agency().await;
    let mut told = Vec::new();
    for code in [world.codes[0], world.codes[1]] {
        let mut question = question(&[(code, 1.0)]);
        question.recovered_on = Some("2020-01-01".parse().unwrap());
        let answer = agency.ask(&question).await.unwrap().remove(0).unwrap().answer;
        assert_eq!(answer.outcome, OutcomeName::NotAuthorised);
        assert!(answer.firearm.is_none());
        told.push(answer.statement.join(" "));
    }
    assert!(told[0].contains("older") && !told[0].contains("2024"), "{}", told[0]);
    assert!(told[1].contains("enough was told"), "it counted: {}", told[1]);
    // A restart forgets nothing of it.
    world.restart("issuer").await;
    assert_eq!(ask(&agency, world.codes[1], "26-0001").await, OutcomeName::NotAuthorised);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_tell_whether_a_code_was_issued() {
    let mut world = World::start().await;
    // Firearms are used up and uncertain answers are not, or the other way round.
    world.fishing =
        FishingRules { per_case: 2, firearms_per_case: 2, per_agency: 4, ..FishingRules::default() };
    world.restart("issuer").await;
    let agency = world.agency().await;
    let never = symbology::SealingKey::new(&[1; 32], "other");
    let unissued: Vec<_> = (0..1_000)
        .map(|unit| never.seal(world.codes[0].prefix(), symbology::UnitNumber::new(unit).unwrap()))
        .filter(|code| !world.codes.contains(code))
        .take(4)
        .collect();
    for (code, case, outcome) in [
        (world.codes[0], "26-0001", OutcomeName::Found),
        (world.codes[1], "26-0001", OutcomeName::Found),
        (unissued[0], "26-0002", OutcomeName::NotIssued),
        (unissued[1], "26-0002", OutcomeName::NotIssued),
    ] {
        assert_eq!(ask(&agency, code, case).await, outcome, "{code} in {case}");
    }
    for case in ["26-0001", "26-0002"] {
        let mut refusals = Vec::new();
        for code in [world.codes[2], unissued[2], world.codes[3], unissued[3]] {
            let mut question = question(&[(code, 1.0)]);
            question.case_number = case.parse().unwrap();
            let answer = agency.ask(&question).await.unwrap().remove(0).unwrap().answer;
            assert_eq!(answer.outcome, OutcomeName::NotAuthorised, "{code} in {case}");
            refusals.push(answer.statement);
        }
        assert!(refusals.windows(2).all(|two| two[0] == two[1]), "{case}: {refusals:?}");
    }
    assert_eq!(
        ask(&agency, world.codes[0], "26-0001").await,
        OutcomeName::Found,
        "what was told is told again"
    );
}
