//! The reference of a sale is told after its chain, and after a second approval.

use registry::{BooksError, Priority, SecondStep, TraceAnswer, TraceOutcome, TraceRequest};

use crate::behaviour::{ask, question};
use crate::place::{self, Place, now, on_both};

on_both! {
    withholds_the_reference_until_approved
    tells_a_reference_only_after_its_chain
}

async fn withholds_the_reference_until_approved(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let mut request = question(&[(code, 1.0)]);
    request.approver = None;
    let answer = place.books.trace(&request, now()).await.unwrap();
    assert!(!serde_json::to_string(&answer).unwrap().contains("T-0815"), "the reference leaked");
    let TraceOutcome::Found(found) = answer.outcome else { panic!() };
    assert!(found.reference_withheld);
    assert_eq!(found.chain.links.len(), 3);
    for one in ["det. example", "Det. Example", "DET.\u{200b}example", "dеt. eхample"] {
        request.approver = Some(one.parse().unwrap());
        let refused = place.books.trace(&request, now()).await.unwrap_err().to_string();
        assert!(refused.contains("same person"), "{refused}");
        request.approver = Some("sgt. example".parse().unwrap());
        let step = SecondStep { after: answer.question, approver: one.parse().unwrap() };
        let refused = place.books.trace_reference(&request, &step, now()).await.unwrap_err().to_string();
        assert!(refused.contains("same person"), "{refused}");
    }
    // Nobody approved the first question.
    let refused = reference(&place, &request, answer.question).await.unwrap_err().to_string();
    assert!(refused.contains("no approved question"), "{refused}");
}

async fn tells_a_reference_only_after_its_chain(place: Place) {
    let issued = place.issue(&place::run("AB0001", 2)).await;
    place.ship_and_sell("AB0001").await;
    let chain = question(&[(issued[0].code, 1.0)]);
    let of_another = ask(&place, &[(issued[1].code, 1.0)]).await.question;
    let first = place.books.trace(&chain, now()).await.unwrap();
    let by_another = TraceRequest { requester: "det. other".parse().unwrap(), ..chain.clone() };
    let in_another_case = TraceRequest { case_number: "26-0002".parse().unwrap(), ..chain.clone() };
    // An answer's number, none at all, and the question about another firearm.
    for after in [first.question + 1, first.question + 99, 0, u64::MAX, of_another] {
        let refused = reference(&place, &chain, after).await.unwrap_err().to_string();
        assert!(refused.contains("told the chain of this firearm"), "{after}: {refused}");
    }
    let on_another_day = TraceRequest { recovered_on: Some("2025-05-06".parse().unwrap()), ..chain.clone() };
    let of_another_reading = TraceRequest { reading_sha256: Some("ab".repeat(32)), ..chain.clone() };
    let of_another_crime = TraceRequest { crime_code: Some("5212".parse().unwrap()), ..chain.clone() };
    let urgent = Priority::Urgent("a second shooting is announced".parse().unwrap());
    let more_urgent = TraceRequest { priority: urgent, ..chain.clone() };
    let for_another_reason = TraceRequest { reason: "found in a drawer".parse().unwrap(), ..chain.clone() };
    let others = [by_another, in_another_case, on_another_day, of_another_reading, of_another_crime];
    for other in others.into_iter().chain([more_urgent, for_another_reason]) {
        let refused = reference(&place, &other, first.question).await.unwrap_err().to_string();
        assert!(refused.contains("told the chain of this firearm"), "{refused}");
    }
    let told = reference(&place, &chain, first.question).await.unwrap();
    let TraceOutcome::Found(told) = told.outcome else { panic!() };
    assert!(!told.reference_withheld && told.chain.first_sale.unwrap().form_4473.is_some());
    let found = place.books.reconcile().await.unwrap();
    assert!(found.agrees() && found.without_effect.is_empty(), "{found:?}");
}

/// The second step, approved by somebody else again.
pub(crate) async fn reference(
    place: &Place,
    request: &TraceRequest,
    after: u64,
) -> Result<TraceAnswer, BooksError> {
    let step = SecondStep { after, approver: "lt. example".parse().unwrap() };
    place.books.trace_reference(request, &step, now()).await
}
