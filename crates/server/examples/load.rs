//! Sustained load on an issuer's node: the figures of the README.
//!
//! ```text
//! cargo run -p server --example load -- make DIR 5000000     # books with that many pistols and six events each
//! cargo run -p server --example load -- run DIR 200 60       # 200 signed traces a second for 60 seconds
//! ```
//!
//! `run` starts the issuer's node as a process of its own and asks it over loopback. Questions leave on a fixed
//! timetable whether or not earlier ones were answered, and each is timed from its place in the timetable. Every
//! answer is verified and opened. Afterwards look-ups of codes are compared with bare reads of the primary key.

use std::io::{Write as _, stdout};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use registry::{
    Books, Database, Description, Event, FirearmKey, FirearmKind, IssueRun, Licensee, NewEntry, NewIssuer,
    Part, Recipient, Source, serial_run,
};
use server::api::{
    AgencyCard, AskedCode, IssuerCard, PublicKey, Question, QuestionKind, SealedAnswer, Urgency,
};
use server::federation::{DirectoryContent, Message, Sealed, Start, check_answer, content_key, sign_request};
use server::{Client, Node, NodeConfig, NodeRole, ServeOptions, Server, validity};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use symbology::{Code, Prefix};

type Done<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Codes in a block, less a few that nobody needs.
const BLOCK: u32 = 1_000_000;
const PREFIXES: [&str; 8] = ["K7", "K8", "K9", "KA", "KC", "KD", "KE", "KF"];

fn main() -> Done<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        ["make", dir, firearms] => runtime.block_on(make(Path::new(dir), firearms.parse()?)),
        ["run", dir, rate, seconds] => runtime.block_on(run(Path::new(dir), rate.parse()?, seconds.parse()?)),
        ["serve", dir, address] => runtime.block_on(serve(Path::new(dir), address)),
        _ => Err("expected: make DIR FIREARMS | run DIR RATE SECONDS".into()),
    }
}

/// Books in which each pistol was made, went from maker to distributor to dealer, and was sold.
async fn make(dir: &Path, firearms: u32) -> Done<()> {
    let issuer = dir.join("issuer");
    let name: registry::names::PartyName = "Example Arms (synthetic)".parse()?;
    let new = NewIssuer {
        name: name.clone(),
        licence: Some("1-23-456-78-9A-12345".parse()?),
        prefix: PREFIXES[0].parse()?,
        database: Database::Embedded,
    };
    let now = Timestamp::now();
    let books = Books::create(&issuer, &new, now).await?;
    let begun = Instant::now();
    let mut left = firearms;
    for (at, prefix) in PREFIXES.iter().enumerate() {
        let prefix: Prefix = prefix.parse()?;
        let count = left.min(BLOCK);
        if count == 0 {
            break;
        }
        if at > 0 {
            books.open_block(prefix, now).await?;
        }
        let run = IssueRun {
            model: "M9".parse()?,
            description: Description {
                manufacturer: name.clone(),
                importer: None,
                kind: FirearmKind::Pistol,
                calibre: "9 mm Luger".parse()?,
                country: "US".parse()?,
            },
            serials: serial_run(&format!("A{prefix}0000001").parse()?, count)?,
            parts: Part::ALL.to_vec(),
            prefix: Some(prefix),
            made_on: "2024-01-02".parse()?,
            resume: false,
        };
        books.issue(&run, &"line 1".parse()?, now, |_| ()).await?;
        left -= count;
        writeln!(stdout(), "{} codes after {:.0} s", firearms - left, begun.elapsed().as_secs_f64())?;
    }
    exemplar(&books, now).await?;
    books.close().await;
    let events = multiply(&issuer.join("books.sqlite")).await?;
    writeln!(stdout(), "{firearms} firearms, {events} events after {:.0} s", begun.elapsed().as_secs_f64())?;
    Ok(())
}

/// The five events after making, for the first firearm, through the books' own door.
async fn exemplar(books: &Books, now: Timestamp) -> Done<()> {
    let firearm = FirearmKey {
        licence: books.issuer().licence,
        model: "M9".parse()?,
        serial: format!("A{}0000001", PREFIXES[0]).parse()?,
    };
    let (maker, trader) = (books.issuer(), Licensee::new("1-23-456-01-9A-22222", "Far Traders (synthetic)")?);
    let dealer = Licensee::new("1-23-456-01-9A-33333", "Corner Guns (synthetic)")?;
    let events = [
        (Event::Disposed { holder: maker.clone(), to: Recipient::Licensee(trader.clone()) }, "2024-02-01"),
        (Event::Acquired { holder: trader.clone(), source: Source::Licensee(maker) }, "2024-02-03"),
        (Event::Disposed { holder: trader.clone(), to: Recipient::Licensee(dealer.clone()) }, "2024-03-01"),
        (Event::Acquired { holder: dealer.clone(), source: Source::Licensee(trader) }, "2024-03-03"),
        (Event::Disposed { holder: dealer, to: Recipient::Form4473("2024-0815".parse()?) }, "2024-04-01"),
    ];
    for (event, on) in events {
        let entry = NewEntry { firearm: firearm.clone(), event, on: on.parse()?, description: None };
        books.record(&entry, &"clerk".parse()?, now).await?;
    }
    Ok(())
}

/// Copies the first firearm's events to all others in bulk: test material, not a way to write in books.
async fn multiply(file: &Path) -> Done<i64> {
    let mut books = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
    for pragma in ["PRAGMA synchronous = OFF", "PRAGMA cache_size = -524288"] {
        sqlx::query(pragma).execute(&mut books).await?;
    }
    sqlx::query(
        "INSERT INTO entry (entry_id, firearm_id, kind, holder, other, happened_on, recorded_at, recorded_by,
            description_id, code, corrects, void, body)
        SELECT (SELECT MAX(entry_id) FROM entry) + (f.firearm_id - 1) * 5 + e.place, f.firearm_id, e.kind, e.holder,
            e.other, e.happened_on, e.recorded_at, e.recorded_by, e.description_id, NULL, NULL, 0, e.body
        FROM firearm f CROSS JOIN (
            SELECT ROW_NUMBER() OVER (ORDER BY entry_id) AS place, * FROM entry
            WHERE firearm_id = 1 AND kind <> 'manufactured') e
        WHERE f.firearm_id > 1 ORDER BY f.firearm_id, e.place",
    )
    .execute(&mut books)
    .await?;
    sqlx::query("UPDATE counter SET next = (SELECT MAX(entry_id) FROM entry) WHERE name = 'entry'")
        .execute(&mut books)
        .await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut books).await?;
    let count = sqlx::query("SELECT COUNT(*) FROM entry").fetch_one(&mut books).await?.try_get(0)?;
    Ok(count)
}

async fn serve(dir: &Path, address: &str) -> Done<()> {
    server::start_log();
    let server =
        Server::start(&dir.join("issuer"), TcpListener::bind(address)?, ServeOptions::default()).await?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

/// What a question needs to be asked and its answer checked.
struct Asker {
    agency: Node,
    key_id: String,
    issuer_key: (String, PublicKey),
    target: String,
    client: Client,
    codes: Vec<Code>,
}

async fn run(dir: &Path, rate: u32, seconds: u32) -> Done<()> {
    let (asker, mut child) = start(dir).await?;
    let asker = Arc::new(asker);
    for at in 0..50 {
        asker.ask(at).await?;
    }
    let begun = tokio::time::Instant::now();
    let step = Duration::from_secs(1) / rate;
    let mut running = Vec::new();
    for at in 0..rate * seconds {
        let due = begun + step * at;
        tokio::time::sleep_until(due).await;
        let asker = Arc::clone(&asker);
        running.push(tokio::spawn(async move { asker.ask(at as usize).await.map(|()| due.elapsed()) }));
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    for one in running {
        match one.await? {
            Ok(time) => times.push(time),
            Err(error) => {
                failed += 1;
                writeln!(stdout(), "failed: {error}")?;
            }
        }
    }
    let wall = begun.elapsed();
    times.sort();
    let place = |share: f64| times.get((times.len() as f64 * share) as usize).or(times.last());
    writeln!(
        stdout(),
        "{} answers, {failed} failed, {:.1} a second; p50 {:?}, p90 {:?}, p99 {:?}, p99.9 {:?}, longest {:?}",
        times.len(),
        times.len() as f64 / wall.as_secs_f64(),
        place(0.5).unwrap_or(&Duration::ZERO),
        place(0.9).unwrap_or(&Duration::ZERO),
        place(0.99).unwrap_or(&Duration::ZERO),
        place(0.999).unwrap_or(&Duration::ZERO),
        times.last().unwrap_or(&Duration::ZERO),
    )?;
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    child.wait()?;
    look_ups(&dir.join("issuer"), &asker.codes).await
}

/// Makes the nodes where there are none yet, starts the issuer's, and waits until it answers.
async fn start(dir: &Path) -> Done<(Asker, Child)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let _ = std::fs::remove_dir_all(dir.join("issuer/node"));
    let _ = std::fs::remove_dir_all(dir.join("agency"));
    let node = |folder: &str, role, name: &str, url: String| {
        let name = name.parse().map_err(|error| format!("{error}"))?;
        let config = NodeConfig::new(role, name, &url);
        Node::create(&dir.join(folder), config).map_err(|error| error.to_string())
    };
    let mut issuer = node("issuer", NodeRole::Issuer, "issuer.example", format!("http://{address}"))?;
    let agency = node("agency", NodeRole::Agency, "agency.example", "http://none".to_owned())?;
    let file = dir.join("directory");
    issuer.trust(&file.display().to_string(), &agency.statements.verifier().to_string())?;
    let (valid_from, valid_until) = validity(Timestamp::now(), 1);
    let mut content = DirectoryContent::new(1, valid_from, valid_until);
    let prefixes = PREFIXES.iter().map(|prefix| prefix.parse()).collect::<Result<_, _>>()?;
    content.issuers.push(IssuerCard {
        node: issuer.card(),
        prefixes,
        delegation: None,
        valid_from,
        valid_until,
    });
    let oris = vec!["CA0194200".parse()?];
    let sealing = agency.sealing.clone();
    content.agencies.push(AgencyCard { node: agency.card(), oris, sealing, valid_from, valid_until });
    std::fs::write(&file, content.sign(&agency.statements)?)?;
    let child = Command::new(std::env::current_exe()?)
        .args(["serve", &dir.display().to_string(), &address.to_string()])
        .spawn()?;
    let client = Client::new(Duration::from_secs(10));
    for _ in 0..200 {
        if client.get(&format!("http://{address}/healthz")).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let codes = some_codes(&dir.join("issuer/books.sqlite")).await?;
    let card = issuer.card();
    let asker = Asker {
        key_id: agency.card().key_id(),
        issuer_key: (card.key_id(), card.signing),
        target: format!("http://{address}/federation/v1/trace"),
        agency,
        client,
        codes,
    };
    Ok((asker, child))
}

/// Twenty thousand codes spread over the table.
async fn some_codes(file: &Path) -> Done<Vec<Code>> {
    let mut books = SqliteConnection::connect(&format!("sqlite://{}?mode=ro", file.display())).await?;
    let count: i64 =
        sqlx::query("SELECT MAX(firearm_id) FROM firearm").fetch_one(&mut books).await?.try_get(0)?;
    let step = (count / 20_000).max(1);
    let sql = "SELECT code FROM code WHERE firearm_id % $1 = 0 ORDER BY unit % 7919 LIMIT 20000";
    let rows = sqlx::query(sql).bind(step).fetch_all(&mut books).await?;
    let code = |row: &sqlx::sqlite::SqliteRow| -> Done<Code> {
        let number: i64 = row.try_get(0)?;
        let symbol =
            |at: i64| symbology::Symbol::new(((number >> (5 * (5 - at))) & 31) as u8).ok_or("no symbol");
        let mut payload = [symbol(0)?; 6];
        for (at, place) in payload.iter_mut().enumerate() {
            *place = symbol(at as i64)?;
        }
        Ok(Code::new(payload))
    };
    rows.iter().map(code).collect()
}

impl Asker {
    async fn ask(&self, at: usize) -> Done<()> {
        let question = Question {
            schema: Question::SCHEMA.to_owned(),
            id: uuid::Uuid::now_v7(),
            kind: QuestionKind::Chain,
            ori: "CA0194200".parse()?,
            case_number: format!("26-{at:06}").parse()?,
            crime_code: "0999".parse()?,
            priority: Urgency::Routine,
            reason: "case recovered at a scene".parse()?,
            requester: "det. example".parse()?,
            approver: "sgt. example".parse()?,
            codes: vec![AskedCode { code: self.codes[at % self.codes.len()], posterior: 0.9999 }],
            reading_sha256: Some("ab".repeat(32)),
            recovered_on: Some("2025-04-01".parse()?),
        };
        let content = serde_json::to_vec(&question)?;
        let request =
            sign_request(&self.target, &content, (&self.key_id, &self.agency.signing), Timestamp::now())?;
        let (answer, content) = self.client.send(&request, content).await?;
        let (key_id, key) = &self.issuer_key;
        check_answer(&answer, &content, &request, (key_id, key))?;
        if answer.start != Message::answer(200).start {
            let Start::Answer(status) = answer.start else { return Err("no answer".into()) };
            return Err(format!("status {status}: {}", String::from_utf8_lossy(&content)).into());
        }
        let sealed: Sealed = serde_json::from_slice(&content)?;
        let opened: SealedAnswer =
            serde_json::from_slice(&sealed.open(&self.agency.opening, &content_key(&request))?)?;
        if opened.statement.contains("\"outcome\":\"found\"") {
            Ok(())
        } else {
            Err("the pistol was not found".into())
        }
    }
}

/// The plain look-up inside a node beside bare reads of the same primary key, in one run.
async fn look_ups(issuer: &Path, codes: &[Code]) -> Done<()> {
    let books = Books::open(issuer, Timestamp::now()).await?;
    let file = format!("sqlite://{}?mode=ro", issuer.join("books.sqlite").display());
    let mut bare = SqliteConnection::connect(&file).await?;
    let (mut times, mut reads) = (Vec::new(), Vec::new());
    // The first round warms both up; in the second they take turns, so that whoever else works here disturbs both alike.
    for round in 0..2 {
        for code in codes {
            let begun = Instant::now();
            books.issued(*code).await?.ok_or("an issued code is not found")?;
            let ours = begun.elapsed();
            let number = code.payload().iter().fold(0, |all, symbol| all << 5 | i64::from(symbol.value()));
            let begun = Instant::now();
            sqlx::query("SELECT issued_at FROM code WHERE code = $1")
                .bind(number)
                .fetch_one(&mut bare)
                .await?;
            if round == 1 {
                times.push(ours);
                reads.push(begun.elapsed());
            }
        }
    }
    books.close().await;
    times.sort();
    reads.sort();
    let (ours, theirs) = (times[times.len() / 2], reads[reads.len() / 2]);
    writeln!(
        stdout(),
        "look-up of a code: median {ours:?}, p99 {:?}; bare primary-key read through the same driver: median {theirs:?}; ratio {:.2}",
        times[times.len() * 99 / 100],
        ours.as_secs_f64() / theirs.as_secs_f64()
    )?;
    Ok(())
}
