//! Nobody reads an issuer's book out code by code.

use server::api::OutcomeName;
use server::federation::FishingRules;
use server::roles::Agency;

use crate::world::{World, question};

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
