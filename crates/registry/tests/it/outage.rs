//! The database server goes away under load and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use registry::{
    Books, BooksError, CandidateCode, Event, NewEntry, Part, Priority, TraceOutcome, TraceRequest,
};
use sqlx::Connection as _;
use symbology::Code;
use tokio::task::JoinSet;

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
}

/// How far all callers together have come.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    /// Acts that were done, of each kind.
    done: [AtomicUsize; 3],
    failed: AtomicUsize,
}

impl Load {
    fn done(&self, kind: usize, note: impl FnOnce()) {
        note();
        self.done[kind].fetch_add(1, SeqCst);
    }

    fn failed(&self, error: &BooksError) {
        assert!(matches!(error, BooksError::Database { .. } | BooksError::Busy { .. }), "{error}");
        self.failed.fetch_add(1, SeqCst);
    }

    fn all_done(&self) -> [usize; 3] {
        [0, 1, 2].map(|kind: usize| self.done[kind].load(SeqCst))
    }
}

/// Issues, records and asks in turn until it is over; every call must come back in time, with a result or a typed error.
async fn work(books: Arc<Books>, worker: usize, (first, code): (NewEntry, Code), load: Arc<Load>) -> Told {
    let (by, mut told, mut round) = ("clerk".parse().unwrap(), Told::default(), 0);
    while !load.over.load(SeqCst) {
        round += 1;
        let (begun, kind) = (Instant::now(), (worker + round) % 3);
        match kind {
            0 => match books.issue_part(Part::FiringPin, None, &by, now()).await {
                Ok(code) => load.done(kind, || told.codes.push(code)),
                Err(error) => load.failed(&error),
            },
            1 => {
                let mut entry = first.clone();
                let reference = format!("3310-4 {worker}-{round}").parse().unwrap();
                entry.event = Event::MultipleSale { holder: dealer(), reference };
                match books.record(&entry, &by, now()).await {
                    Ok(number) => load.done(kind, || told.entries.push(number)),
                    Err(error) => load.failed(&error),
                }
            }
            _ => match books.trace(&question(code), now()).await {
                Ok(answer) => {
                    assert!(matches!(answer.outcome, TraceOutcome::ChainEnds(_)));
                    load.done(kind, || told.answers.push(answer.question));
                }
                Err(error) => load.failed(&error),
            },
        }
        assert!(begun.elapsed() < BOUND, "a call took {:?}", begun.elapsed());
    }
    told
}

/// Waits until something has come about under the load; a caller that ends before the load does has failed.
async fn until(workers: &mut JoinSet<Told>, come_about: impl Fn() -> bool) {
    while !come_about() {
        if let Some(ended) = workers.try_join_next() {
            drop(ended.unwrap());
            panic!("a caller ended by itself");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until acts of every kind were done, from now on.
async fn until_all_work(workers: &mut JoinSet<Told>, load: &Load) {
    let before = load.all_done();
    until(workers, || load.all_done().iter().zip(before).all(|(now, before)| *now > before + 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_loses_nothing() {
    let Some(place) = Place::own_postgres().await else { return };
    let code = place.issue(&run("AB0001", 1)).await[0].code;
    let event = Event::MultipleSale { holder: dealer(), reference: "3310-4 17".parse().unwrap() };
    let entry = place.entry("AB0001", event, "2024-06-01");
    let Place { books, folder, server } = place;
    let (books, server, load) = (Arc::new(books), server.unwrap(), Arc::new(Load::default()));
    let mut workers = JoinSet::new();
    for worker in 0..6 {
        workers.spawn(work(books.clone(), worker, (entry.clone(), code), load.clone()));
    }
    for _ in 0..2 {
        until_all_work(&mut workers, &load).await;
        let (stopping, failed) = (server.clone(), load.failed.load(SeqCst));
        tokio::task::spawn_blocking(move || stopping.stop()).await.unwrap();
        until(&mut workers, || load.failed.load(SeqCst) > failed).await;
        let beginning = server.clone();
        tokio::task::spawn_blocking(move || beginning.begin()).await.unwrap();
    }
    until_all_work(&mut workers, &load).await;
    load.over.store(true, SeqCst);
    let mut told = Told::default();
    while let Some(one) = workers.join_next().await {
        let one = one.unwrap();
        told.codes.extend(one.codes);
        told.entries.extend(one.entries);
        told.answers.extend(one.answers);
    }
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

/// Another transaction keeps a row to itself: the act is given up, the log's lock with it, and everything works when the row is free.
#[tokio::test]
async fn a_row_that_another_keeps_is_not_waited_for_without_end() {
    let Some(place) = Place::postgres().await else { return };
    place.issue(&run("AB0001", 1)).await;
    let mut other = sqlx::PgConnection::connect(&place.server_address()).await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE counter SET next = next WHERE name = 'record'")
        .execute(&mut other)
        .await
        .unwrap();
    let event = Event::MultipleSale { holder: dealer(), reference: "3310-4 17".parse().unwrap() };
    let entry = place.entry("AB0001", event, "2024-06-01");
    let (begun, by) = (Instant::now(), "clerk".parse().unwrap());
    let refused = place.books.record(&entry, &by, now()).await.unwrap_err();
    assert!(matches!(refused, BooksError::Busy { .. }), "{refused}");
    assert!(begun.elapsed() < BOUND, "it took {:?}", begun.elapsed());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    place.books.record(&entry, &by, now()).await.unwrap();
    assert!(place.books.reconcile().await.unwrap().agrees());
}

/// A server that stands still, with its connections open, answers nobody and refuses nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_given_up() {
    let Some(place) = Place::own_postgres().await else { return };
    place.issue(&run("AB0001", 1)).await;
    let event = |number: u32| {
        let reference = format!("3310-4 {number}").parse().unwrap();
        place.entry("AB0001", Event::MultipleSale { holder: dealer(), reference }, "2024-06-01")
    };
    let (server, by) = (place.server.clone().unwrap(), "clerk".parse().unwrap());
    // It stops while it is asked one thing after the other, and then everybody finds it so.
    let under_load = async {
        for number in 1.. {
            if let Err(error) = place.books.record(&event(number), &by, now()).await {
                return (error, Instant::now());
            }
        }
        unreachable!("there are numbers enough")
    };
    let stopped = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.freeze();
        Instant::now()
    };
    let both = async { tokio::join!(under_load, stopped) };
    let given_up = tokio::time::timeout(BOUND * 2, both).await;
    let later = tokio::time::timeout(BOUND * 2, place.books.record(&event(0), &by, now())).await;
    server.thaw();
    let ((error, told), stopped) = given_up.expect("a call waited for the server without end");
    assert!(told - stopped < BOUND, "it took {:?}", told - stopped);
    let again = later.expect("a call waited for the server without end").unwrap_err();
    for error in [error, again] {
        assert!(matches!(error, BooksError::Database { .. } | BooksError::Busy { .. }), "{error}");
    }
    place.books.record(&event(0), &by, now()).await.unwrap();
    assert!(place.books.reconcile().await.unwrap().agrees());
}
