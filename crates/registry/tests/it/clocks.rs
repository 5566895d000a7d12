//! Clocks that are wrong, the same over SQLite and PostgreSQL.

use crate::behaviour::question;
use crate::place::{self, Place, now, on_both};

on_both! {
    goes_on_after_a_clock_that_was_ahead
    rests_for_a_season_but_not_for_years
    refuses_a_clock_set_back
}

async fn goes_on_after_a_clock_that_was_ahead(place: Place) {
    place.issue(&place::run("AB0001", 1)).await;
    let by = "line 1".parse().unwrap();
    let reason = "the machine's clock stood at 2036".parse().unwrap();
    let refused = place.books.affirm_clock(&reason, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("is neither behind the last act"), "{refused}");
    let ahead = "2036-01-15T12:00:00Z".parse().unwrap();
    // Nobody says that it is so late, so nothing is dated so late.
    let refused =
        place.books.issue(&place::run("AB0002", 1), &by, ahead, |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("clock says 2036-01-15T12:00:00Z"), "{refused}");
    assert_eq!(place.issue(&place::run("AB0004", 1)).await.len(), 1);
    // Somebody says so, wrongly, and later the truth.
    place.books.affirm_clock(&reason, &by, ahead).await.unwrap();
    place.books.issue(&place::run("AB0002", 1), &by, ahead, |_| ()).await.unwrap();
    let run = place::run("AB0003", 1);
    let refused = place.books.issue(&run, &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("the last act in the books is of 2036-01-15T12:00:00Z"), "{refused}");
    place.books.affirm_clock(&reason, &by, now()).await.unwrap();
    assert_eq!(place.books.issue(&run, &by, now(), |_| ()).await.unwrap(), 1);
    assert!(place.books.reconcile().await.unwrap().agrees());
}

async fn rests_for_a_season_but_not_for_years(place: Place) {
    place.issue(&place::run("AB0001", 1)).await;
    let by = "line 1".parse().unwrap();
    let days = |days: i64| now() + jiff::SignedDuration::from_hours(24 * days);
    place.books.issue(&place::run("AB0002", 1), &by, days(91), |_| ()).await.unwrap();
    let late = place.books.issue(&place::run("AB0003", 1), &by, days(91 + 93), |_| ()).await;
    assert!(late.unwrap_err().to_string().contains("if it is right, enter that with `issuer clock`"));
    let reason = "nothing was made in summer".parse().unwrap();
    place.books.affirm_clock(&reason, &by, days(91 + 93)).await.unwrap();
    place.books.issue(&place::run("AB0003", 1), &by, days(91 + 93), |_| ()).await.unwrap();
    assert!(place.books.reconcile().await.unwrap().agrees());
}

async fn refuses_a_clock_set_back(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    let seconds = |seconds: i64| now() + jiff::SignedDuration::from_secs(seconds);
    let refused = place.books.trace(&question(&[(code, 1.0)]), seconds(-3_600)).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, registry::BooksError::Clock { .. }), "{text}");
    assert!(text.contains("2026-01-15T11:00:00Z") && text.contains("2026-01-15T12:00:00Z"), "{text}");
    assert_eq!(place.books.reconcile().await.unwrap().log_entries, 2, "nothing was entered");
    place.books.trace(&question(&[(code, 1.0)]), seconds(-60)).await.unwrap();
    place.books.trace(&question(&[(code, 1.0)]), seconds(60)).await.unwrap();
}
