//! What issuing and looking up cost: `cargo bench -p registry`.

#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::PathBuf;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use registry::{
    Books, CandidateCode, Database, Description, FirearmKind, IssueRun, NewIssuer, Part, Priority,
    TraceRequest, serial_run,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _, SqliteConnection};
use symbology::{Code, Symbol};
use tokio::runtime::{Builder, Runtime};

type Failure = Box<dyn std::error::Error>;

fn run(first: &str, count: u32) -> Result<IssueRun, Failure> {
    Ok(IssueRun {
        model: "M9 (synthetic)".parse()?,
        description: Description {
            manufacturer: "Example Arms (synthetic)".parse()?,
            importer: None,
            kind: FirearmKind::Pistol,
            calibre: "9 mm Luger".parse()?,
            country: "US".parse()?,
        },
        serials: serial_run(&first.parse()?, count)?,
        parts: Part::ALL.to_vec(),
        prefix: None,
        made_on: "2024-01-02".parse()?,
        resume: false,
    })
}

/// Books in a folder with codes for `count` firearms.
fn books(runtime: &Runtime, count: u32) -> Result<(tempfile::TempDir, Books, Vec<Code>), Failure> {
    let folder = tempfile::tempdir()?;
    let name = "Example Arms (synthetic)".parse()?;
    let issuer = NewIssuer { name, licence: None, prefix: "K7".parse()?, database: Database::Embedded };
    let books = runtime.block_on(Books::create(folder.path(), &issuer, Timestamp::now()))?;
    let mut codes = Vec::new();
    let take = |chunk: &[registry::Issued]| codes.extend(chunk.iter().map(|one| one.code));
    runtime.block_on(books.issue(&run("A0000000", count)?, &"line 1".parse()?, Timestamp::now(), take))?;
    Ok((folder, books, codes))
}

fn question(code: Code) -> Result<TraceRequest, Failure> {
    Ok(TraceRequest {
        codes: vec![CandidateCode { code, posterior: 1.0 }],
        reading_sha256: None,
        ori: "CA0194200".parse()?,
        case_number: "26-0001".parse()?,
        crime_code: None,
        priority: Priority::Routine,
        reason: "case recovered at a scene".parse()?,
        requester: "det. example".parse()?,
        approver: None,
        recovered_on: None,
    })
}

fn measure(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let (_folder, books, codes) = books(&runtime, 100_000).expect("books can be made in a temporary folder");
    let by = "line 1".parse().expect("a valid name");
    let mut at = 0;
    let mut next = move || {
        at = (at + 7919) % 100_000;
        at
    };
    criterion.bench_function("look a code up, 100 k firearms", |bench| {
        bench.iter(|| runtime.block_on(books.issued(codes[next()])).expect("the books can be read"));
    });
    criterion.bench_function("trace, two log entries, 100 k firearms", |bench| {
        let request = question(codes[1]).expect("valid words");
        bench.iter(|| {
            runtime.block_on(books.trace(&request, Timestamp::now())).expect("the log takes entries")
        });
    });
    let mut group = criterion.benchmark_group("issue");
    group
        .throughput(Throughput::Elements(10_000))
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(5));
    let mut series = 0;
    group.bench_function("10 000 codes", |bench| {
        bench.iter(|| {
            series += 1;
            let run = run(&format!("B{series}-00000"), 10_000).expect("valid words");
            runtime.block_on(books.issue(&run, &by, Timestamp::now(), |_| ())).expect("the block has room")
        });
    });
    group.finish();
}

/// Look-ups in books of any size beside bare reads of the same row by its primary key, through the same driver, one
/// after the other in one run: `MICROSTAMP_BOOKS=DIR cargo bench -p registry -- ratio`. Books of 100,000 firearms
/// without it.
fn ratio(criterion: &mut Criterion) {
    const READS: usize = 20_000;
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let named = std::env::var_os("MICROSTAMP_BOOKS").map(PathBuf::from);
    let (made, books, folder) = if let Some(folder) = &named {
        let books = runtime.block_on(Books::open(folder, Timestamp::now())).expect("there are books");
        (None, books, folder.clone())
    } else {
        let (made, books, _) = books(&runtime, 100_000).expect("books can be made in a temporary folder");
        let folder = made.path().to_owned();
        (Some(made), books, folder)
    };
    let file = SqliteConnectOptions::new().filename(folder.join("books.sqlite")).read_only(true);
    let mut bare = runtime.block_on(file.connect()).expect("the tables can be read");
    let numbers = runtime.block_on(some_codes(&mut bare, READS)).expect("there are codes");
    let (mut ours, mut theirs) = (Vec::with_capacity(READS), Vec::with_capacity(READS));
    for (at, number) in numbers.iter().enumerate() {
        // Whoever comes second finds the page in memory, so they take turns.
        for turn in [at, at + 1] {
            let begun = Instant::now();
            if turn % 2 == 0 {
                let row = runtime.block_on(sqlx::query(BARE_READ).bind(number).fetch_optional(&mut bare));
                let row = row.expect("the tables can be read").expect("the code is there");
                std::hint::black_box((
                    row.get::<i64, _>(0),
                    row.get::<Option<i64>, _>(1),
                    row.get::<i64, _>(3),
                ));
                theirs.push(begun.elapsed());
            } else {
                let issued = runtime.block_on(books.issued(code(*number))).expect("the books can be read");
                assert!(issued.is_some(), "code number {number} was issued");
                ours.push(begun.elapsed());
            }
        }
    }
    let [ours, theirs] = [ours, theirs].map(|mut times| {
        times.sort();
        [times[READS / 2], times[READS * 99 / 100]].map(|time| time.as_secs_f64() * 1e6)
    });
    println!(
        "look-up {:.1} µs median, {:.1} µs p99; bare primary-key read {:.1} µs median, {:.1} µs p99; ratio {:.2}",
        ours[0],
        ours[1],
        theirs[0],
        theirs[1],
        ours[0] / theirs[0]
    );
    let mut at = 0;
    criterion.bench_function("ratio: look a code up", |bench| {
        bench.iter(|| {
            at = (at + 1) % READS;
            runtime.block_on(books.issued(code(numbers[at]))).expect("the books can be read")
        });
    });
    drop(made);
}

/// The row that a look-up reads, by its primary key.
const BARE_READ: &str = "SELECT parts, firearm_id, record_id, issued_at FROM code WHERE code = $1";

/// Codes from all over the blocks, in no order.
async fn some_codes(bare: &mut SqliteConnection, count: usize) -> Result<Vec<i64>, sqlx::Error> {
    let units = sqlx::query("SELECT MIN(unit), MAX(unit) FROM code").fetch_one(&mut *bare).await?;
    let (low, high): (i64, i64) = (units.get(0), units.get(1));
    let (mut codes, mut unit) = (Vec::with_capacity(count), low);
    while codes.len() < count {
        unit = low + (unit - low + 2_654_435_761) % (high - low + 1);
        let found = sqlx::query("SELECT code FROM code WHERE unit >= $1 ORDER BY unit LIMIT 1").bind(unit);
        codes.extend(found.fetch_optional(&mut *bare).await?.map(|row| row.get::<i64, _>(0)));
    }
    Ok(codes)
}

/// A code out of the number that stands for it in the table.
fn code(number: i64) -> Code {
    Code::new(std::array::from_fn(|place| {
        Symbol::new((number >> (25 - 5 * place) & 31) as u8).expect("five bits are a symbol")
    }))
}

criterion_group!(benches, measure, ratio);
criterion_main!(benches);
