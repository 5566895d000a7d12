//! `federation demo`: two issuers, one agency, three witnesses and one directory as processes of their own on this
//! machine; a trace goes through them, then an auditor checks everything.

mod auditor;
mod closing;

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use registry::{
    Books, Database, Description, Event, FirearmKey, FirearmKind, IssueRun, Licensee, NewEntry, NewIssuer,
    Part, Recipient, serial_run,
};
use serde_json::Value;
use server::roles::{EnrolRules, enrol};
use server::{Node, NodeConfig, NodeRole, validity};
use symbology::Code;

use super::books::{failure, wait};
use super::node::{card, enrol_own};
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files::{self, remark};

/// Arguments of `federation`.
#[derive(Debug, Args)]
pub(crate) struct Federation {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Start everything, ask, check, stop.
    Demo(Demo),
}

#[derive(Debug, Args)]
struct Demo {
    /// The folder to fill; it must not exist.
    #[arg(default_value = "federation-out")]
    dir: PathBuf,
}

/// Name, role, block and licence of each node.
const NODES: [(&str, NodeRole, &str); 7] = [
    ("directory", NodeRole::Directory, ""),
    ("makers-witness", NodeRole::Witness, ""),
    ("oversight-witness", NodeRole::Witness, ""),
    ("defence-witness", NodeRole::Witness, ""),
    ("issuer-k7", NodeRole::Issuer, "K7"),
    ("issuer-m2", NodeRole::Issuer, "M2"),
    ("agency", NodeRole::Agency, ""),
];

/// Runs `federation`.
pub(crate) fn federation(arguments: &Federation) -> Result<Exit, Failure> {
    let What::Demo(demo) = &arguments.what;
    if demo.dir.exists() {
        return Err(Exit::BadInput
            .because(format!("`{}` exists already\nhint: name another folder (`make federation FEDERATION_DIR=…`), or take this one away", demo.dir.display())));
    }
    files::create_folder(&demo.dir.join("logs"))?;
    let world = wait(build(&demo.dir))?;
    let mut running = Running(Vec::new());
    for (name, ..) in NODES {
        running.start(&demo.dir, name, &world.address(name))?;
    }
    remark(format!(
        "2. {} nodes run as processes of their own and speak mutual TLS; their logs are in {}/logs.",
        NODES.len(),
        demo.dir.display()
    ));
    story(&demo.dir, &world, &mut running)
}

/// What the story needs to know of the nodes.
struct World {
    ports: Vec<u16>,
    key: String,
    /// Of the directory's certificate.
    pin: String,
    code: Code,
    other: Code,
}

impl World {
    fn address(&self, name: &str) -> String {
        let at = NODES.iter().position(|(known, ..)| *known == name).unwrap_or_default();
        format!("127.0.0.1:{}", self.ports[at])
    }

    fn url(&self, name: &str) -> String {
        format!("https://{}", self.address(name))
    }
}

/// Processes that are stopped in good order when this is dropped.
struct Running(Vec<(String, Child)>);

impl Running {
    fn start(&mut self, dir: &Path, name: &str, address: &str) -> Result<(), Failure> {
        let role = NODES.iter().find(|(known, ..)| *known == name).map(|(_, role, _)| *role);
        let role = role.ok_or_else(|| Exit::BadInput.because(name))?;
        self.0.push((name.to_owned(), spawn(dir, name, role, address)?));
        listens(address)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    fn stop(&mut self, name: &str) {
        for (_, child) in self.0.extract_if(.., |(known, _)| known == name) {
            end(child);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.drain(..).rev().for_each(|(_, child)| end(child));
    }
}

fn end(mut child: Child) {
    let _ = Process::new("kill").args(["-TERM", &child.id().to_string()]).status();
    let _ = child.wait();
}

/// Ports that are free, below those that systems give to whoever asks for any: a node that is started later, or again, finds its
/// own still free.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let first = rand::random_range(12_000..30_000);
    let free: Vec<u16> =
        (first..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).take(count).collect();
    if free.len() == count { Ok(free) } else { Err(Exit::Environment.because("there are no free ports")) }
}

/// Books, nodes and a directory.
async fn build(dir: &Path) -> Result<World, Failure> {
    let code = books(&dir.join("issuer-k7"), "K7", "1-23-456-78-9A-12345").await?;
    let other = books(&dir.join("issuer-m2"), "M2", "1-23-456-78-9A-54321").await?;
    let ports = free_ports(NODES.len())?;
    let mut world = World { ports, key: String::new(), pin: String::new(), code, other };
    let directory = dir.join("directory");
    for (name, role, prefix) in NODES {
        let name_of = format!("{name}.example").parse().or_exit(Exit::BadInput, name)?;
        let mut config = NodeConfig::new(role, name_of, &world.url(name));
        if role == NodeRole::Agency {
            config.oris = vec!["CA0194200".parse().or_exit(Exit::BadInput, name)?];
            config.programs_ask = true;
        }
        let mut node = Node::create(&dir.join(name), config).or_exit(Exit::Environment, name)?;
        node.make_certificate(validity(Timestamp::now(), 30)).or_exit(Exit::Environment, name)?;
        if role == NodeRole::Directory {
            world.key = node.statements.verifier().to_string();
            world.pin = node.card().tls.unwrap_or_default();
            continue;
        }
        node.trust(&format!("{}/directory", world.url("directory")), &world.key)
            .or_exit(Exit::Environment, name)?;
        node.trust_peer(&world.pin).or_exit(Exit::Environment, name)?;
        let prefixes: Vec<_> = prefix.parse().into_iter().collect();
        let entry = card(&node, &prefixes, validity(Timestamp::now(), 30))?;
        enrol_own(&directory, (&node, &entry), &EnrolRules::default())?;
    }
    let rules = EnrolRules { quorum: Some(2), ..EnrolRules::default() };
    enrol(&directory, &[], &rules).or_exit(Exit::Environment, "the quorum")?;
    files::write(&dir.join("directory.pub"), format!("{}\n", world.key).as_bytes())?;
    remark(
        "1. Two synthetic makers have books; a directory lists them, an agency and three witnesses (two must cosign).",
    );
    Ok(world)
}

/// Books with three pistols; the first was sold by a dealer.
async fn books(folder: &Path, prefix: &str, licence: &str) -> Result<Code, Failure> {
    let bad = |what: &str| Exit::BadInput.because(what);
    let name: registry::names::PartyName =
        format!("Maker {prefix} (synthetic)").parse().or_exit(Exit::BadInput, "name")?;
    let new = NewIssuer {
        name: name.clone(),
        licence: licence.parse().ok(),
        prefix: prefix.parse().or_exit(Exit::BadInput, "prefix")?,
        database: Database::Embedded,
    };
    let now = Timestamp::now();
    let books = Books::create(folder, &new, now).await.map_err(failure)?;
    let run = IssueRun {
        model: "M9".parse().or_exit(Exit::BadInput, "model")?,
        description: Description {
            manufacturer: name,
            importer: None,
            kind: FirearmKind::Pistol,
            calibre: "9 mm Luger".parse().or_exit(Exit::BadInput, "calibre")?,
            country: "US".parse().or_exit(Exit::BadInput, "country")?,
        },
        serials: serial_run(&"AB10001".parse().or_exit(Exit::BadInput, "serial")?, 3).map_err(failure)?,
        parts: Part::ALL.to_vec(),
        prefix: None,
        made_on: jiff::civil::date(2024, 1, 2),
        resume: false,
    };
    let by = "line 1".parse().or_exit(Exit::BadInput, "person")?;
    let mut issued = Vec::new();
    books.issue(&run, &by, now, |chunk| issued.extend_from_slice(chunk)).await.map_err(failure)?;
    let first = issued.first().ok_or_else(|| bad("no code was issued"))?;
    let firearm = FirearmKey {
        licence: books.issuer().licence,
        model: run.model.clone(),
        serial: first.serial.clone(),
    };
    let dealer = Licensee::new("1-23-456-01-9A-33333", "Corner Guns (synthetic)")
        .map_err(|error| bad(&error.to_string()))?;
    let form = "2024-0815".parse().or_exit(Exit::BadInput, "form")?;
    let steps = [
        (books.issuer(), Recipient::Licensee(dealer.clone()), jiff::civil::date(2024, 2, 1)),
        (dealer, Recipient::Form4473(form), jiff::civil::date(2024, 4, 1)),
    ];
    for (holder, to, on) in steps {
        let event = Event::Disposed { holder, to };
        let entry = NewEntry { firearm: firearm.clone(), event, on, description: None };
        books.record(&entry, &by, now).await.map_err(failure)?;
    }
    let code = first.code;
    books.close().await;
    Ok(code)
}

fn spawn(dir: &Path, name: &str, role: NodeRole, address: &str) -> Result<Child, Failure> {
    let program = std::env::current_exe().or_exit(Exit::Environment, "this program")?;
    let path = dir.join("logs").join(format!("{name}.log"));
    let log = File::options().append(true).create(true).open(path).or_exit(Exit::Environment, "its log")?;
    Process::new(program)
        .args(["serve", "--role", role.as_str(), "--listen", address, "--data"])
        .arg(dir.join(name))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .or_exit(Exit::Environment, format!("cannot start {name}"))
}

fn listens(address: &str) -> Result<(), Failure> {
    for _ in 0..1_200 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Exit::Environment.because(format!("{address} does not answer\nhint: look into the folder `logs`")))
}

/// Asks, collects, checks; every step is a command that anyone can repeat.
fn story(dir: &Path, world: &World, running: &mut Running) -> Result<Exit, Failure> {
    let agency = dir.join("agency").display().to_string();
    let ask = |codes: &[String], more: &[&str]| {
        let mut words =
            vec!["trace", "--json", "--agency", &agency, "--ori", "CA0194200", "--case", "26-0001"];
        words.extend(["--crime-code", "0999", "--reason", "case recovered at a scene"]);
        words.extend([
            "--requester",
            "det. example",
            "--approver",
            "sgt. example",
            "--recovered-on",
            "2025-04-01",
        ]);
        words.extend(more.iter().chain(codes.iter().map(String::as_str).collect::<Vec<_>>().iter()));
        run(&words)
    };
    let show = |title: &str, answer: &Value| {
        remark(title);
        for one in answer["answers"].as_array().into_iter().flatten() {
            let (issuer, outcome) = (&one["answer"]["issuer"], &one["answer"]["outcome"]);
            remark(format!(
                "   {}: {}",
                issuer.as_str().unwrap_or("?"),
                outcome.as_str().unwrap_or("no answer")
            ));
            for line in one["answer"]["statement"].as_array().into_iter().flatten() {
                remark(format!("     {}", line.as_str().unwrap_or_default()));
            }
        }
    };
    let chain: Value = parse(&ask(&[format!("{}=0.9999", world.code)], &[])?.1)?;
    let question = chain["question"].as_str().unwrap_or_default().to_owned();
    show("3. The agency asks for a chain; the Form 4473 reference is withheld.", &chain);
    let after = ask(
        &[format!("{}=0.9999", world.code)],
        &["--after", &question, "--second-approver", "lt. example"],
    )?;
    show("4. After a second approval the reference is told.", &parse(&after.1)?);
    let open = ask(&[format!("{}=0.5", world.code), format!("{}=0.5", world.other)], &[])?;
    show("5. An uncertain reading is told only what is issued, by each issuer for itself.", &parse(&open.1)?);
    let file = dir.join("court.bundle");
    evidence(&agency, &question, &file)?;
    closing::close(dir, world, running)?;
    let after = ask(&[format!("{}=0.9999", world.code)], &[])?;
    show(
        "6. Maker K7 closes; maker M2 took its books over and answers under a signed delegation.",
        &parse(&after.1)?,
    );
    let answered = parse(&after.1)?["answers"][0]["answer"]["delegated_by"] == "issuer-k7.example";
    let verified = auditor::audit(dir, world, running, &file)?;
    Ok(if answered { verified } else { Exit::Negative })
}

/// The court bundle; the witnesses need a moment after the answer.
fn evidence(agency: &str, question: &str, file: &Path) -> Result<(), Failure> {
    let output = file.display().to_string();
    let program = std::env::current_exe().or_exit(Exit::Environment, "this program")?;
    for _ in 0..240 {
        let mut court = Process::new(&program);
        court.args(["audit", "court", "--agency", agency, "--question", question, "-o", &output]);
        // That it is too early is nothing to be told.
        let tried = court.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if tried.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    Err(Exit::Environment.because("the witnesses did not cosign in time\nhint: look into the folder `logs`"))
}

/// Runs this program and gives exit code and standard output.
fn run(words: &[&str]) -> Result<(i32, String), Failure> {
    let program = std::env::current_exe().or_exit(Exit::Environment, "this program")?;
    let output = Process::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.or_exit(Exit::Environment, "cannot run this program")?;
    if !output.status.success() && output.stdout.is_empty() {
        String::from_utf8_lossy(&output.stderr).lines().for_each(|line| remark(format!("   {line}")));
    }
    Ok((output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).or_exit(Exit::Environment, "the answer")
}
