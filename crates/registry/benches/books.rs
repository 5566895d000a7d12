//! What issuing, importing and looking up cost: `cargo bench -p registry`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use registry::{
    Books, CandidateCode, Database, Description, FirearmKind, ImportOptions, IssueRun, NewIssuer, Part,
    Priority, TraceRequest, serial_run,
};
use symbology::Code;
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
        parts: Vec::new(),
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
    import(criterion, &runtime);
}

/// Rows as a dealer's bound book has them, in books of their own: an acquisition from a wholesaler and a sale at retail.
fn import(criterion: &mut Criterion, runtime: &Runtime) {
    const ROWS: u32 = 10_000;
    let (_folder, books, _) = books(runtime, 1).expect("books can be made in a temporary folder");
    let by = "clerk".parse().expect("a valid name");
    let mut group = criterion.benchmark_group("import");
    group.throughput(Throughput::Elements(u64::from(ROWS))).sample_size(10);
    let mut series = 0;
    group.bench_function("10 000 rows, two entries each", |bench| {
        bench.iter(|| {
            series += 1;
            let table = std::io::Cursor::new(table(series, ROWS));
            let options = ImportOptions::default();
            let taken = books.import(table, &options, (&by, Timestamp::now()), |row| panic!("{row:?}"));
            runtime.block_on(taken).expect("every row can be taken")
        });
    });
    group.finish();
}

fn table(series: u32, rows: u32) -> String {
    let heading = "licence,model,serial,manufacturer,type,calibre,country,holder_licence,holder_name,acquired_on,\
                   source_licence,source_name,disposed_on,form_4473\n";
    let what = "Old Works (synthetic),pistol,9 mm Luger,US,1-23-456-01-9A-33333,Corner Guns (synthetic)";
    let from = "1-23-456-01-9A-22222,Wholesale One (synthetic)";
    let row = |row| {
        let (maker, model, day) = (44_000 + row % 7, row % 40, 1 + row % 28);
        let key = format!("1-23-456-01-9A-{maker:05},Model {model},S{series}-{row:08}");
        format!("{key},{what},2024-01-{day:02},{from},2024-02-{day:02},T-{row}\n")
    };
    heading.to_owned() + &(0..rows).map(row).collect::<String>()
}

criterion_group!(benches, measure);
criterion_main!(benches);
