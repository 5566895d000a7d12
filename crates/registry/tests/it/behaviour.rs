//! What the books do, the same over SQLite and PostgreSQL.

use registry::{
    CandidateCode, ChainEnd, Correction, Event, IssueRun, Part, Priority, Recipient, Role, Source,
    TimeToCrime, TraceAnswer, TraceOutcome, TraceRequest, Traced, View,
};
use symbology::Code;

use crate::losses::theft;
use crate::place::{self, Place, dealer, description, now, on_both, sold, wholesaler};

on_both! {
    issues_and_finds_again
    refuses_what_was_issued
    refuses_when_a_block_is_exhausted
    tells_the_chain_and_time_to_crime
    keeps_corrections_beside_the_original
    refuses_contradictions
    refuses_who_does_not_hold_it
    refuses_the_same_entry_twice
    takes_late_entries_in_any_order
    refuses_impossible_days_of_recovery
    tells_only_what_is_issued_when_in_doubt
    names_every_end_of_a_chain
    refuses_improper_questions
    enters_everything_in_the_log
    answers_together
    takes_all_entries_or_none
    certifies
    exports_three_views
    a_closing_is_corrected_and_kept_to
}

pub(crate) fn question(codes: &[(Code, f64)]) -> TraceRequest {
    TraceRequest {
        codes: codes.iter().map(|&(code, posterior)| CandidateCode { code, posterior }).collect(),
        reading_sha256: None,
        ori: "CA0194200".parse().unwrap(),
        case_number: "26-0001".parse().unwrap(),
        crime_code: Some("0999".parse().unwrap()),
        priority: Priority::Routine,
        reason: "case recovered at a scene".parse().unwrap(),
        requester: "det. example".parse().unwrap(),
        approver: Some("sgt. example".parse().unwrap()),
        parts: Vec::new(),
        recovered_on: Some("2025-04-01".parse().unwrap()),
    }
}

pub(crate) async fn ask(place: &Place, codes: &[(Code, f64)]) -> TraceAnswer {
    place.books.trace(&question(codes), now()).await.unwrap()
}

pub(crate) async fn traced(place: &Place, code: Code) -> Traced {
    match ask(place, &[(code, 1.0)]).await.outcome {
        TraceOutcome::Found(traced) | TraceOutcome::ChainEnds(traced) => *traced,
        other => panic!("{other:?}"),
    }
}

async fn issues_and_finds_again(place: Place) {
    let issued = place.issue(&place::run("AB0001", 300)).await;
    assert_eq!(issued.len(), 300);
    let place = place.reopened().await;
    assert_eq!(place.books.blocks().await.unwrap()[0].issued, 300);
    for one in [&issued[0], &issued[150], &issued[299]] {
        assert_eq!(place.books.issued(one.code).await.unwrap(), Some(now()));
        assert_eq!(traced(&place, one.code).await.firearm.key.serial, one.serial);
    }
    let codes: std::collections::BTreeSet<Code> = issued.iter().map(|one| one.code).collect();
    assert_eq!(codes.len(), 300);
    let more = place.issue(&place::run("AC0001", 300)).await;
    assert!(more.iter().all(|one| !codes.contains(&one.code)), "a code was issued twice");
}

async fn refuses_what_was_issued(place: Place) {
    place.issue(&place::run("AB0001", 3)).await;
    let by = "line 1".parse().unwrap();
    let refused = place.books.issue(&place::run("AB0003", 2), &by, now(), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("AB0003"), "{refused}");
    let mut twice = place::run("AD0001", 2);
    twice.serials.push("ad0001".parse().unwrap());
    let refused = place.books.issue(&twice, &by, now(), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("stands twice"), "{refused}");
    assert_eq!(place.books.blocks().await.unwrap()[0].issued, 3);
    // A run that is gone on with is the one that was begun.
    let mut again = IssueRun { resume: true, ..place::run("AB0001", 3) };
    assert_eq!(place.books.issue(&again, &by, now(), |old| assert_eq!(old.len(), 3)).await.unwrap(), 0);
    again.parts = vec![Part::FiringPin];
    let refused = place.books.issue(&again, &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("AB0001 was issued for firing-pin and breech-face"), "{refused}");
    again = IssueRun { resume: true, ..place::run("AB0001", 3) };
    again.description.calibre = ".45 ACP".parse().unwrap();
    let refused = place.books.issue(&again, &by, now(), |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("AB0001 is in the books as a pistol, 9 mm Luger, US"), "{refused}");
    for parts in [vec![], vec![Part::FiringPin, Part::FiringPin], vec![Part::Round]] {
        let run = IssueRun { parts, ..place::run("AF0001", 1) };
        place.books.issue(&run, &by, now(), |_| ()).await.unwrap_err();
    }
    assert_eq!(place.books.blocks().await.unwrap()[0].issued, 3);
    let mut elsewhere = place::run("AE0001", 1);
    elsewhere.prefix = Some("M3".parse().unwrap());
    let refused = place.books.issue(&elsewhere, &by, now(), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("M3 is not one of"), "{refused}");
}

async fn refuses_when_a_block_is_exhausted(place: Place) {
    let mut run = place::run("A0000000", (1 << 20) + 1);
    let refused = place.books.rehearse(&run, now()).await.unwrap_err().to_string();
    assert!(refused.contains("block K7 has 1048576 codes left and 1048577 are needed"), "{refused}");
    run.serials.pop();
    assert_eq!(place.books.rehearse(&run, now()).await.unwrap(), 1 << 20);
    place.books.open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now()).await.unwrap();
    let refused = place
        .books
        .open_block("K8".parse().unwrap(), &"clerk example".parse().unwrap(), now())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("open already"), "{refused}");
    assert_eq!(
        place.books.reconcile().await.unwrap().without_effect,
        [0; 0],
        "what is refused is not entered"
    );
    let mut second = place::run("AB0001", 1);
    second.prefix = Some("K8".parse().unwrap());
    assert_eq!(place.issue(&second).await[0].code.prefix().to_string(), "K8");
}

async fn tells_the_chain_and_time_to_crime(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let answer = ask(&place, &[(code, 0.9999)]).await;
    assert!(matches!(answer.outcome, TraceOutcome::Found(_)));
    assert!(!answer.statement.iter().any(|line| line.contains("T-0815")), "told in the first step");
    let second =
        crate::second_step::reference(&place, &question(&[(code, 0.9999)]), answer.question).await.unwrap();
    assert!(second.statement.iter().any(|line| line.contains("Form 4473 transaction T-0815")));
    assert!(answer.statement.iter().any(|line| line.contains("time to crime: 365 days")));
    let found = traced(&place, code).await;
    let roles: Vec<Role> = found.chain.links.iter().map(|link| link.role).collect();
    assert_eq!(roles, [Role::Manufacturer, Role::Distributor, Role::Retailer]);
    let days: Vec<_> = found.chain.links.iter().map(|link| (link.from, link.until)).collect();
    let day = |text: &str| Some(text.parse().unwrap());
    assert_eq!(days[1], (day("2024-02-01"), day("2024-03-01")));
    assert_eq!(found.time_to_crime, TimeToCrime::Days(365));
    let mut early = question(&[(code, 1.0)]);
    early.recovered_on = day("2024-03-31");
    let TraceOutcome::ChainEnds(early) = place.books.trace(&early, now()).await.unwrap().outcome else {
        panic!("it was in the dealer's inventory on that day")
    };
    assert_eq!(early.time_to_crime, TimeToCrime::BeforeSale);
}

async fn keeps_corrections_beside_the_original(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let by = "clerk".parse().unwrap();
    let key = place.key("AB0001");
    let mut correction = Correction {
        firearm: key.clone(),
        entry: 4,
        becomes: Some((sold(), "2024-04-11".parse().unwrap())),
        description: None,
        reason: "the dealer gave the wrong day".parse().unwrap(),
    };
    assert_eq!(place.books.correct(&correction, &by, now()).await.unwrap(), 5);
    let refused = place.books.correct(&correction, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("corrected by entry 5"), "{refused}");
    assert_eq!(traced(&place, code).await.time_to_crime, TimeToCrime::Days(355));
    (correction.entry, correction.becomes) = (5, None);
    place.books.correct(&correction, &by, now()).await.unwrap();
    let history = place.books.history(&key).await.unwrap().unwrap();
    let numbers = |view: View| view.of(&history.entries).iter().map(|entry| entry.number).collect::<Vec<_>>();
    assert_eq!(numbers(View::Original), [1, 2, 3, 4]);
    assert_eq!(numbers(View::Corrected), [1, 2, 3]);
    assert_eq!(numbers(View::Both), [1, 2, 3, 4, 5, 6]);
    assert!(matches!(traced(&place, code).await.chain.end, ChainEnd::WithLicensee { .. }));
    let mut right = description();
    right.calibre = ".40 S&W".parse().unwrap();
    let made = history.entries[0].clone();
    correction =
        Correction { entry: 1, becomes: Some((made.event, made.on)), description: Some(right), ..correction };
    place.books.correct(&correction, &by, now()).await.unwrap();
    let history = place.books.history(&key).await.unwrap().unwrap();
    assert_eq!(history.recorded_as.description.calibre.as_str(), "9 mm Luger");
    assert_eq!(history.firearm.description.calibre.as_str(), ".40 S&W");
}

async fn refuses_contradictions(place: Place) {
    place.issue(&place::run("AB0001", 1)).await;
    let maker = place.books.issuer();
    let cases = [
        (
            "AB0001",
            Event::Manufactured { by: maker.clone() },
            "2024-01-03",
            "says already that it was manufactured",
        ),
        ("AB0001", sold(), "2023-12-31", "lies before it was manufactured"),
        ("AB0001", sold(), "2026-02-01", "in the future"),
        ("AB0001", sold(), "1799-12-31", "before the year 1800"),
        (
            "AB0001",
            Event::Disposed { holder: dealer(), to: Recipient::Licensee(dealer()) },
            "2024-02-01",
            "both sides of one entry",
        ),
        (
            "AB0001",
            Event::Acquired { holder: dealer(), source: Source::Licensee(dealer()) },
            "2024-02-01",
            "both sides of one entry",
        ),
        ("ZZ0001", sold(), "2024-02-01", "not in the books"),
        (
            "AB0001",
            Event::PartRemoved { by: maker.clone(), part: Part::FiringPin, code: "K70000".parse().unwrap() },
            "2024-02-01",
            "never issued",
        ),
    ];
    for (serial, event, on, expected) in cases {
        let refused = place.record(serial, event, on).await.unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    let destroyed = Event::Destroyed { holder: maker, reason: "crushed, two witnesses".parse().unwrap() };
    place.record("AB0001", destroyed, "2024-02-01").await.unwrap();
    let refused = place.record("AB0001", sold(), "2024-03-01").await.unwrap_err();
    assert!(refused.contains("destroyed on 2024-02-01"), "{refused}");
}

async fn refuses_the_same_entry_twice(place: Place) {
    place.issue(&place::run("AB0001", 1)).await;
    let maker = place.books.issuer();
    let bought = Event::Acquired { holder: dealer(), source: Source::Licensee(maker.clone()) };
    place.record("AB0001", bought.clone(), "2024-03-01").await.unwrap();
    let refused = place.record("AB0001", bought.clone(), "2024-03-01").await.unwrap_err();
    assert!(refused.contains("entry 2 says the same of 2024-03-01 already"), "{refused}");
    place.record("AB0001", sold(), "2024-04-01").await.unwrap();
    assert!(place.record("AB0001", sold(), "2024-04-01").await.is_err());
    let mut small = place::run("AB0002", 1);
    small.model = small.model.as_str().to_lowercase().parse().unwrap();
    let refused = place.books.issue(&small, &"line 1".parse().unwrap(), now(), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("is written `M9 (synthetic)` in these books"), "{refused}");
    let mut old = place::run("AB0002", 1);
    old.made_on = "1700-01-01".parse().unwrap();
    let refused = place.books.issue(&old, &"line 1".parse().unwrap(), now(), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("before the year 1800"), "{refused}");
}

async fn refuses_who_does_not_hold_it(place: Place) {
    place.issue(&place::run("AB0001", 3)).await;
    place.ship_and_sell("AB0001").await;
    let maker = place.books.issuer();
    let government = || Recipient::Government("Example County Sheriff (synthetic)".parse().unwrap());
    let to_government = |holder| Event::Disposed { holder, to: government() };
    let back = Event::Acquired { holder: dealer(), source: Source::Public("R-1".parse().unwrap()) };
    let found = |incident: &str| Event::Recovered {
        holder: dealer(),
        incident: incident.parse().unwrap(),
        reported_by: None,
    };
    let end = |holder| Event::Destroyed { holder, reason: "crushed, two witnesses".parse().unwrap() };
    // Each step in turn; `None` is taken, a text is what a refusal says.
    let steps = [
        (to_government(maker.clone()), "2024-02-15", Some("the book has it with Wholesale One")),
        (sold(), "2024-05-01", Some("it was sold at retail on 2024-04-01")),
        (to_government(wholesaler()), "2024-05-01", Some("it was sold at retail")),
        (back, "2024-06-01", None),
        (to_government(wholesaler()), "2024-06-02", Some("the book has it with Corner Guns")),
        (found("I-77"), "2024-06-02", Some("no open theft or loss has incident number I-77")),
        (theft(dealer()), "2024-06-03", None),
        (theft(dealer()), "2024-06-04", Some("reported missing already, under incident I-77")),
        (end(dealer()), "2024-06-04", Some("missing under incident I-77")),
        (found("I-77"), "2024-06-02", Some("no open theft or loss")),
        (found("I-77"), "2024-06-05", None),
        (found("I-77"), "2024-06-06", Some("no open theft or loss")),
        (end(wholesaler()), "2024-06-07", Some("the book has it with Corner Guns")),
        (end(dealer()), "2024-06-07", None),
        (sold(), "2024-06-08", Some("destroyed on 2024-06-07")),
        (theft(dealer()), "2024-06-08", Some("destroyed on 2024-06-07")),
    ];
    for (event, on, expected) in steps {
        match (place.record("AB0001", event.clone(), on).await, expected) {
            (Ok(_), None) => {}
            (Err(refused), Some(expected)) if refused.contains(expected) => {}
            (done, expected) => panic!("{event:?} on {on}: {done:?}, expected {expected:?}"),
        }
    }
}

async fn takes_late_entries_in_any_order(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    let maker = place.books.issuer();
    let shipped = Event::Disposed { holder: maker.clone(), to: Recipient::Licensee(wholesaler()) };
    let received = Event::Acquired { holder: wholesaler(), source: Source::Licensee(maker) };
    let passed_on = Event::Disposed { holder: wholesaler(), to: Recipient::Licensee(dealer()) };
    let bought = Event::Acquired { holder: dealer(), source: Source::Licensee(wholesaler()) };
    for (event, on) in [
        (bought, "2024-03-01"),
        (sold(), "2024-03-01"),
        (received, "2024-02-03"),
        (shipped, "2024-02-01"),
        (passed_on, "2024-03-01"),
    ] {
        place.record("AB0001", event, on).await.unwrap();
    }
    let found = traced(&place, code).await;
    let names: Vec<_> = found.chain.links.iter().map(|link| link.licensee.name.as_str()).collect();
    assert_eq!(names, ["Example Arms (synthetic)", "Wholesale One (synthetic)", "Corner Guns (synthetic)"]);
    assert!(matches!(found.chain.end, ChainEnd::RetailSale(_)), "{:?}", found.chain.end);
}

async fn refuses_impossible_days_of_recovery(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    let mut request = question(&[(code, 1.0)]);
    request.recovered_on = Some("2026-02-01".parse().unwrap());
    let refused = place.books.trace(&request, now()).await.unwrap_err().to_string();
    assert!(refused.starts_with("the case was recovered on 2026-02-01, which is in the future"), "{refused}");
    request.recovered_on = Some("2024-01-01".parse().unwrap());
    let refused = place.books.trace(&request, now()).await.unwrap_err().to_string();
    assert!(refused.contains("before the firearm with this code was manufactured"), "{refused}");
    assert!(!refused.contains("2024-01-02"), "the day of making is the maker's own: {refused}");
    // A question that was entered has its answer in the log, be it a refusal.
    let found = place.books.reconcile().await.unwrap();
    assert_eq!((found.log_entries, found.agreed, found.without_effect.len()), (4, 4, 0));
}

async fn tells_only_what_is_issued_when_in_doubt(place: Place) {
    let issued = place.issue(&place::run("AB0001", 2)).await;
    let [a, b] = [issued[0].code, issued[1].code];
    let free: Vec<Code> =
        ["K70000", "K70001", "K70002", "K70003"].iter().map(|text| text.parse().unwrap()).collect();
    let free: Vec<Code> = free.into_iter().filter(|code| *code != a && *code != b).collect();
    let foreign: Code = "M3AAAA".parse().unwrap();
    let outcome = async |codes: &[(Code, f64)]| ask(&place, codes).await.outcome;
    assert_eq!(
        outcome(&[(a, 0.5), (b, 0.4)]).await,
        TraceOutcome::Ambiguous { issued: vec![a, b], elsewhere: vec![] }
    );
    assert_eq!(
        outcome(&[(foreign, 0.5), (b, 0.5)]).await,
        TraceOutcome::Ambiguous { issued: vec![b], elsewhere: vec![foreign] }
    );
    assert_eq!(outcome(&[(free[0], 0.9)]).await, TraceOutcome::NotIssued { codes: vec![free[0]] });
    assert_eq!(
        outcome(&[(free[0], 0.5), (foreign, 0.5)]).await,
        TraceOutcome::NotOurs { elsewhere: vec![foreign], not_issued: vec![free[0]] }
    );
    // What was never issued is struck out, but a code that the reading itself holds unlikely is not told of.
    assert_eq!(
        outcome(&[(free[0], 0.6), (b, 0.4)]).await,
        TraceOutcome::Ambiguous { issued: vec![b], elsewhere: vec![] }
    );
    let answer = ask(&place, &[(free[0], 0.4), (b, 0.6)]).await;
    let TraceOutcome::ChainEnds(found) = answer.outcome else { panic!() };
    assert_eq!((found.code, found.posterior, found.posterior_given_issued), (b, 0.6, 1.0));
    assert_eq!(found.not_issued, [free[0]]);
    for said in
        ["leaves 2 codes open and gives this one 60.0 %", &format!("never issued of those: {}", free[0])]
    {
        assert!(answer.statement.iter().any(|line| line.contains(said)), "{said}: {:?}", answer.statement);
    }
    let vague = outcome(&[(a, 0.3)]).await;
    assert_eq!(vague, TraceOutcome::Ambiguous { issued: vec![a], elsewhere: vec![] });
}

async fn names_every_end_of_a_chain(place: Place) {
    let issued = place.issue(&place::run("AB0001", 6)).await;
    let maker = || place.books.issuer();
    let disposed = |to| Event::Disposed { holder: maker(), to };
    let export = Recipient::Export { country: "AT".parse().unwrap(), permit: "X-1".parse().unwrap() };
    let events = [
        disposed(Recipient::Government("Example County Sheriff (synthetic)".parse().unwrap())),
        disposed(export),
        Event::Destroyed { holder: maker(), reason: "failed proof firing".parse().unwrap() },
        theft(maker()),
        disposed(Recipient::Licensee(wholesaler())),
        Event::Acquired { holder: dealer(), source: Source::Licensee(wholesaler()) },
    ];
    let closed = "2024-12-31".parse().unwrap();
    place
        .books
        .close_licensee(
            &wholesaler().licence,
            (closed, "the tracing centre"),
            &"clerk example".parse().unwrap(),
            now(),
        )
        .await
        .unwrap();
    let expected = [
        "sale to Example County",
        "export to AT",
        "was destroyed",
        "incident I-77",
        "out of business",
        "ask there",
    ];
    for ((one, event), expected) in issued.iter().zip(events).zip(expected) {
        place.record(one.serial.as_str(), event, "2024-02-01").await.unwrap();
        let answer = ask(&place, &[(one.code, 1.0)]).await;
        assert!(matches!(answer.outcome, TraceOutcome::ChainEnds(_)), "{expected}");
        assert!(
            answer.statement.iter().any(|line| line.contains(expected)),
            "{expected}: {:?}",
            answer.statement
        );
    }
    let bridged = traced(&place, issued[5].code).await;
    let names: Vec<_> = bridged.chain.links.iter().map(|link| link.licensee.name.as_str()).collect();
    assert_eq!(names, ["Example Arms (synthetic)", "Wholesale One (synthetic)", "Corner Guns (synthetic)"]);
}

async fn refuses_improper_questions(place: Place) {
    let code: Code = "K70000".parse().unwrap();
    let other: Code = "K70001".parse().unwrap();
    let cases: [(&[(Code, f64)], &str); 4] = [
        (&[], "1 to 20 codes"),
        (&[(code, 1.5)], "no probabilities"),
        (&[(code, 0.7), (other, 0.7)], "no probabilities"),
        (&[(code, 0.5), (code, 0.5)], "stands twice"),
    ];
    for (codes, expected) in cases {
        let refused = place.books.trace(&question(codes), now()).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let mut request = question(&[(code, 1.0)]);
    request.reading_sha256 = Some("abc".to_owned());
    assert!(place.books.trace(&request, now()).await.is_err());
}

async fn enters_everything_in_the_log(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    place.ship_and_sell("AB0001").await;
    let answer = ask(&place, &[(code, 1.0)]).await;
    // The opening of the block, the issue, three dispositions, question and answer.
    assert_eq!(answer.log_entries, [5, 6]);
    let found = place.books.reconcile().await.unwrap();
    assert_eq!((found.log_entries, found.agreed), (7, 7));
    assert!(found.without_effect.is_empty() && found.altered.is_empty() && found.unexplained.is_empty());
}

async fn answers_together(place: Place) {
    let issued = place.issue(&place::run("AB0001", 40)).await;
    let Place { books, folder, server } = place;
    let books = std::sync::Arc::new(books);
    let mut asking = tokio::task::JoinSet::new();
    for (number, one) in issued.iter().enumerate() {
        let (books, mut request, serial) = (books.clone(), question(&[(one.code, 1.0)]), one.serial.clone());
        // Every tenth question is refused: the others must not suffer.
        request.recovered_on = (number % 10 == 9).then(|| "2024-01-01".parse().unwrap());
        asking.spawn(async move { (number, serial, books.trace(&request, now()).await) });
    }
    let mut places = Vec::new();
    while let Some(done) = asking.join_next().await {
        let (number, serial, answer) = done.unwrap();
        match answer {
            Ok(answer) => {
                let TraceOutcome::ChainEnds(traced) = answer.outcome else { panic!() };
                assert_eq!(traced.firearm.key.serial, serial, "somebody else's answer");
                places.extend(answer.log_entries);
            }
            Err(refused) => assert!(number % 10 == 9, "{refused}"),
        }
    }
    assert_eq!(places.len(), 2 * 36);
    assert!(places.chunks(2).any(|pair| pair[1] - pair[0] > 1), "no two questions shared a flush");
    let found = books.reconcile().await.unwrap();
    assert_eq!((found.log_entries, found.agreed, found.without_effect.len()), (82, 82, 0));
    drop((folder, server));
}

async fn takes_all_entries_or_none(place: Place) {
    place.issue(&place::run("AB0001", 50)).await;
    let by = "clerk".parse().unwrap();
    let maker = place.books.issuer();
    let ship = |serial: &str| {
        let to = Recipient::Licensee(wholesaler());
        place.entry(serial, Event::Disposed { holder: maker.clone(), to }, "2024-02-01")
    };
    let mut entries: Vec<_> = (1..=50).map(|number| ship(&format!("AB{number:04}"))).collect();
    entries.push(ship("ZZ0001"));
    let refused = place.books.record_all(&entries, &by, now()).await.unwrap_err().to_string();
    assert!(refused.contains("ZZ0001"), "{refused}");
    entries.pop();
    let numbers = place.books.record_all(&entries, &by, now()).await.unwrap();
    assert_eq!((numbers.len(), numbers[0]), (50, 51));
    let history = place.books.history(&place.key("AB0050")).await.unwrap().unwrap();
    assert_eq!(history.entries.len(), 2);
}

async fn certifies(place: Place) {
    let code = place.issue(&place::run("AB0001", 1)).await[0].code;
    let signer = "quality control".parse().unwrap();
    let certificate = place.books.certificate(&place.key("AB0001"), &signer, now()).await.unwrap();
    let key = std::fs::read_to_string(place.folder.path().join("keys/log.pub")).unwrap();
    let policy = transparency::Policy::log_alone(key.trim().parse().unwrap()).unwrap();
    certificate.proof.verify(&policy).unwrap();
    assert!(String::from_utf8_lossy(&certificate.proof.record).contains("AB0001"));
    let note = certificate.note;
    let public = std::fs::read_to_string(place.folder.path().join("keys/signing.pub")).unwrap();
    note.verify(&public.trim().parse().unwrap()).unwrap();
    assert!(note.text.contains(&format!("firing-pin: {code}, issued in log entry 1")), "{}", note.text);
    assert!(place.books.certificate(&place.key("ZZ1"), &signer, now()).await.is_err());
}

async fn exports_three_views(place: Place) {
    place.issue(&place::run("AB0001", 1)).await;
    place.ship_and_sell("AB0001").await;
    let by = "clerk".parse().unwrap();
    let correction = Correction {
        firearm: place.key("AB0001"),
        entry: 4,
        becomes: None,
        description: None,
        reason: "entered for the wrong pistol".parse().unwrap(),
    };
    place.books.correct(&correction, &by, now()).await.unwrap();
    for (view, expected) in
        [(View::Original, "1 2 3 4"), (View::Corrected, "1 2 3"), (View::Both, "1 2 3 4 5")]
    {
        let mut table = Vec::new();
        place.books.export(view, &by, now(), &mut table).await.unwrap();
        let mut reader = csv::Reader::from_reader(table.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let numbers: Vec<&str> = rows.iter().map(|row| &row[0]).collect();
        assert_eq!(numbers.join(" "), expected, "{view:?}");
        assert_eq!(
            (&rows[0][3], &rows[0][7], &rows[2][13]),
            ("AB0001", "9 mm Luger", "1-23-456-01-9A-33333")
        );
    }
    let events =
        place.books.export_epcis((View::Corrected, true), &by, now(), std::io::sink()).await.unwrap();
    assert_eq!(events, 4, "three entries and a code");
}

async fn a_closing_is_corrected_and_kept_to(place: Place) {
    place.issue(&place::run("AB0001", 3)).await;
    place.ship("AB0001").await;
    let (books, by): (_, registry::names::Person) = (&place.books, "clerk".parse().unwrap());
    let maker = || place.books.issuer();
    let (licence, day) = (&dealer().licence, |text: &str| text.parse::<jiff::civil::Date>().unwrap());
    let close = async |licence, on, keeper| {
        books
            .close_licensee(licence, (day(on), keeper), &"clerk example".parse().unwrap(), now())
            .await
            .map_err(|error| error.to_string())
    };
    let correct = async |becomes| {
        let reason = "the day was mistyped".parse().unwrap();
        let done = books.correct_closing(licence, becomes, (&reason, &by), now()).await;
        done.map_err(|error| error.to_string())
    };
    let own = maker().licence;
    let refused = close(&own, "2025-01-01", "the archive").await.unwrap_err();
    assert!(refused.contains("is that of these books' issuer"), "{refused}");
    // It got a firearm on 2024-02-01.
    let refused = close(licence, "2024-01-31", "the archive").await.unwrap_err();
    assert!(refused.contains("that it traded on 2024-02-01"), "{refused}");
    assert!(correct(None).await.unwrap_err().contains("no closing of licence"));
    close(licence, "2024-06-01", "the archive").await.unwrap();
    assert!(
        close(licence, "2024-06-01", "the archive").await.unwrap_err().contains("nothing has to be done")
    );
    assert!(close(licence, "2024-06-02", "the archive").await.unwrap_err().contains("correct it"));
    let to_dealer = Event::Disposed { holder: maker(), to: Recipient::Licensee(dealer()) };
    let refused = place.record("AB0002", to_dealer.clone(), "2024-06-02").await.unwrap_err();
    assert!(refused.contains("is out of business since 2024-06-01"), "{refused}");
    let refused = place.record("AB0001", sold(), "2024-06-02").await.unwrap_err();
    assert!(refused.contains("is out of business since 2024-06-01"), "{refused}");
    correct(Some((day("2024-07-01"), "another archive"))).await.unwrap();
    let again = correct(Some((day("2024-07-01"), "another archive"))).await.unwrap_err();
    assert!(again.contains("recorded like this already"), "{again}");
    place.record("AB0002", to_dealer.clone(), "2024-06-02").await.unwrap();
    assert!(place.record("AB0003", to_dealer.clone(), "2024-07-02").await.is_err());
    correct(None).await.unwrap();
    place.record("AB0003", to_dealer, "2024-07-02").await.unwrap();
    assert!(books.names_licence(licence).await.unwrap());
    assert!(!books.names_licence(&"1-99-999-07-9A-99999".parse().unwrap()).await.unwrap());
}
