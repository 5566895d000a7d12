//! The database server goes away under load and comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use registry::{
    Books, BooksError, CandidateCode, Event, NewEntry, Part, Priority, TraceOutcome, TraceRequest,
};
use symbology::Code;

use crate::place::{Place, dealer, now, run};

/// What one call may take: the wait for a connection and one statement that is cut off.
const BOUND: Duration = Duration::from_secs(30);

pub(crate) fn question(code: Code) -> TraceRequest {
    TraceRequest {
        codes: vec![CandidateCode { code, posterior: 1.0 }],
        reading_sha256: None,
        ori: "CA0194200".parse().unwrap(),
        case_number: "26-0001".parse().unwrap(),
        crime_code: None,
        priority: Priority::Routine,
        reason: "case recovered at a scene".parse().unwrap(),
        requester: "det. example".parse().unwrap(),
        approver: None,
        parts: Vec::new(),
        recovered_on: None,
    }
}

/// What a caller was told.
#[derive(Default)]
struct Told {
    codes: Vec<Code>,
    entries: Vec<u64>,
    answers: Vec<u64>,
    failures: usize,
}

impl Told {
    fn failed(&mut self, error: &BooksError) {
        assert!(matches!(error, BooksError::Database { .. } | BooksError::Busy { .. }), "{error}");
        self.failures += 1;
    }
}

/// Issues, records and asks in turn until `end`; every call must come back in time, with a result or a typed error.
async fn work(books: Arc<Books>, worker: usize, first: NewEntry, code: Code, end: Instant) -> Told {
    let (by, mut told, mut round) = ("clerk".parse().unwrap(), Told::default(), 0);
    while Instant::now() < end {
        round += 1;
        let begun = Instant::now();
        match (worker + round) % 3 {
            0 => match books.issue_part(Part::FiringPin, None, &by, now()).await {
                Ok(code) => told.codes.push(code),
                Err(error) => told.failed(&error),
            },
            1 => {
                let mut entry = first.clone();
                let reference = format!("3310-4 {worker}-{round}").parse().unwrap();
                entry.event = Event::MultipleSale { holder: dealer(), reference };
                match books.record(&entry, &by, now()).await {
                    Ok(number) => told.entries.push(number),
                    Err(error) => told.failed(&error),
                }
            }
            _ => match books.trace(&question(code), now()).await {
                Ok(answer) => {
                    assert!(matches!(answer.outcome, TraceOutcome::ChainEnds(_)));
                    told.answers.push(answer.question);
                }
                Err(error) => told.failed(&error),
            },
        }
        assert!(begun.elapsed() < BOUND, "a call took {:?}", begun.elapsed());
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_loses_nothing() {
    let Some(place) = Place::own_postgres().await else { return };
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    let event = Event::MultipleSale { holder: dealer(), reference: "3310-4 17".parse().unwrap() };
    let entry = place.entry("AB0001", event, "2024-06-01");
    let Place { books, folder, server } = place;
    let (books, server) = (Arc::new(books), server.unwrap());
    let end = Instant::now() + Duration::from_secs(6);
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..6 {
        workers.spawn(work(books.clone(), worker, entry.clone(), code, end));
    }
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(900)).await;
        let stopping = server.clone();
        tokio::task::spawn_blocking(move || {
            stopping.stop();
            std::thread::sleep(Duration::from_millis(400));
            stopping.begin();
        })
        .await
        .unwrap();
    }
    let mut told = Told::default();
    while let Some(one) = workers.join_next().await {
        let one = one.unwrap();
        told.codes.extend(one.codes);
        told.entries.extend(one.entries);
        told.answers.extend(one.answers);
        told.failures += one.failures;
    }
    assert!(told.failures > 0, "the outage was not noticed");
    assert!(!told.codes.is_empty() && !told.entries.is_empty() && !told.answers.is_empty());
    let after = books.record(&entry, &"clerk".parse().unwrap(), now()).await;
    after.expect("the books work again without being opened anew");
    for code in &told.codes {
        assert!(books.issued(*code).await.unwrap().is_some(), "an issued code is gone");
    }
    let different: std::collections::BTreeSet<_> = told.codes.iter().collect();
    assert_eq!(different.len(), told.codes.len(), "a code was issued twice");
    let history = books.history(&entry.firearm).await.unwrap().unwrap();
    for number in &told.entries {
        assert!(history.entries.iter().any(|entry| entry.number == *number), "entry {number} is gone");
    }
    let found = books.reconcile().await.unwrap();
    assert!(found.altered.is_empty() && found.unexplained.is_empty(), "{found:?}");
    for question in &told.answers {
        assert!(
            !found.without_effect.contains(question),
            "question {question} was answered and is not in the log"
        );
    }
    drop(folder);
}
