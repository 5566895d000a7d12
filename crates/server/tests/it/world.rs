//! A small federation: one directory, two issuers, one agency, one dealer, three witnesses.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use registry::{
    Books, Database, Description, Event, FirearmKey, FirearmKind, IssueRun, Licensee, NewEntry, NewIssuer,
    Part, Recipient, serial_run,
};
use server::api::{
    AgencyCard, AskedCode, DealerCard, IssuerCard, Question, QuestionKind, Urgency, WitnessCard,
};
use server::federation::{FishingRules, Message};
use server::roles::{Agency, Card, Dealer, EnrolRules, Enrolment, enrol};
use server::{Client, Clock, DoorRules, Ledger, Node, NodeConfig, NodeRole, ServeOptions, Server, validity};
use sha2::{Digest as _, Sha256};
use symbology::Code;
use tempfile::TempDir;
use transparency::{FolderStore, SignedCheckpoint};

pub(crate) const MAKER: &str = "1-23-456-78-9A-12345";
pub(crate) const DEALER: &str = "1-23-456-01-9A-33333";

pub(crate) struct World {
    pub(crate) root: TempDir,
    pub(crate) clock: Clock,
    pub(crate) servers: Vec<(&'static str, Server)>,
    /// Codes of the first issuer: the first two sold at retail, the third still with the dealer, others with the maker.
    pub(crate) codes: Vec<Code>,
    /// Codes of the second issuer.
    pub(crate) others: Vec<Code>,
    pub(crate) client: Client,
    /// The rules of the nodes that are started from now on.
    pub(crate) fishing: FishingRules,
    /// All of a test comes from one address.
    pub(crate) door: DoorRules,
}

pub(crate) struct Parts {
    pub(crate) listener: TcpListener,
    pub(crate) url: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(Clock::default()).await
    }

    pub(crate) async fn start_with(clock: Clock) -> Self {
        Self::start_as(clock, false, Database::Embedded).await
    }

    /// A federation whose first issuer has its books there.
    pub(crate) async fn start_on(database: Database) -> Self {
        Self::start_as(Clock::default(), false, database).await
    }

    /// A federation whose nodes speak mutual TLS.
    pub(crate) async fn start_secure() -> Self {
        Self::start_as(Clock::default(), true, Database::Embedded).await
    }

    /// Boxed, because what it is made of is large and every test holds it.
    async fn start_as(clock: Clock, secure: bool, database: Database) -> Self {
        Box::pin(Self::made_of(clock, secure, database)).await
    }

    async fn made_of(clock: Clock, secure: bool, database: Database) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut world = Self {
            root,
            clock,
            servers: Vec::new(),
            codes: Vec::new(),
            others: Vec::new(),
            client: Client::new(Duration::from_secs(10)),
            fishing: FishingRules::default(),
            door: DoorRules { per_address: DoorRules::PROXIED, ..DoorRules::default() },
        };
        world.codes = books(&world.path("issuer"), ("K7", MAKER), database).await;
        let second = ("M2", "1-23-456-78-9A-54321");
        world.others = books(&world.path("second"), second, Database::Embedded).await;
        let mut listeners: Vec<_> = ROLES.iter().map(|(name, role)| (*name, *role, listener())).collect();
        if secure {
            for (_, _, parts) in &mut listeners {
                parts.url = parts.url.replace("http:", "https:");
            }
        }
        let directory = format!("{}/directory", listeners[0].2.url);
        let mut keeper =
            node(&world.path("directory"), NodeRole::Directory, "directory.example", &listeners[0].2.url);
        let key = keeper.statements.verifier().to_string();
        if secure {
            keeper.make_certificate(validity(world.clock.now(), 30)).unwrap();
        }
        for (name, role, parts) in &listeners[1..] {
            let mut made = node(&world.path(name), *role, &format!("{name}.example"), &parts.url);
            made.trust(&directory, &key).unwrap();
            if secure {
                made.make_certificate(validity(world.clock.now(), 30)).unwrap();
                made.trust_peer(&keeper.card().tls.unwrap()).unwrap();
            }
            world.enrol(&made);
        }
        let mut dealer = node(&world.path("dealer"), NodeRole::Dealer, "dealer.example", "none");
        dealer.trust(&directory, &key).unwrap();
        world.enrol(&dealer);
        let rules = EnrolRules { quorum: Some(2), ..EnrolRules::default() };
        enrol(&world.path("directory"), &[], &rules).unwrap();
        for (name, _, parts) in listeners {
            world.serve(name, parts.listener).await;
        }
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn node(&self, name: &str) -> Node {
        Node::open(&self.path(name)).unwrap()
    }

    pub(crate) async fn serve(&mut self, name: &'static str, listener: TcpListener) {
        let options = ServeOptions { clock: self.clock.clone(), fishing: self.fishing, door: self.door };
        let server = Server::start(&self.path(name), listener, options).await.unwrap();
        self.servers.push((name, server));
    }

    pub(crate) async fn stop(&mut self, name: &str) {
        let at = self.servers.iter().position(|(known, _)| *known == name).unwrap();
        self.servers.remove(at).1.stop().await;
        self.closed(name).await;
    }

    /// Stops a node and starts it again on the same port.
    pub(crate) async fn restart(&mut self, name: &'static str) {
        let listener = self.stop_for_a_while(name).await;
        self.serve(name, listener).await;
    }

    /// Stops a node; what it gives back is the way to start it again on the same port.
    pub(crate) async fn stop_for_a_while(&mut self, name: &str) -> TcpListener {
        let at = self.servers.iter().position(|(known, _)| *known == name).unwrap();
        let address = self.servers[at].1.address();
        self.stop(name).await;
        TcpListener::bind(address).unwrap()
    }

    /// Waits until the last connection of a stopped node has let go of its log; a process that ends does so at once.
    async fn closed(&self, name: &str) {
        let log = self.path(name).join("node/log");
        until("the log is let go of", async || !log.exists() || FolderStore::open(&log).is_ok()).await;
    }

    /// Takes a running node's log away, so that it can enter nothing.
    pub(crate) async fn break_log(&self, name: &str) {
        let folder = self.path(name);
        tokio::task::spawn_blocking(move || break_log_of(&folder)).await.unwrap();
    }

    /// Gives it back.
    pub(crate) fn mend_log(&self, name: &str) {
        let log = self.path(name).join("node/log");
        std::fs::rename(log.with_extension("aside"), &log).unwrap();
    }

    /// The agency's node, used in this process.
    pub(crate) async fn agency(&mut self) -> Agency {
        if self.servers.iter().any(|(name, _)| *name == "agency") {
            self.stop("agency").await;
        }
        let agency = Agency::open(&self.path("agency"), self.clock.clone()).unwrap();
        agency.directory.renew(self.clock.now()).await.unwrap();
        agency
    }

    /// What a node tells its operator.
    pub(crate) async fn metrics(&self, name: &str) -> String {
        let node = self.node(name);
        let client = node.client(Duration::from_secs(10));
        let url = format!("{}/metrics", node.config.url);
        assert_eq!(client.get(&url).await.unwrap().0, 401, "nobody else");
        let message =
            Message::request("GET", &url).with("authorization", &format!("Bearer {}", node.token().unwrap()));
        String::from_utf8(client.send(&message, Vec::new()).await.unwrap().1).unwrap()
    }

    pub(crate) fn dealer(&self) -> Dealer {
        Dealer::open(&self.path("dealer"), self.clock.clone()).unwrap()
    }

    pub(crate) fn enrol(&self, node: &Node) {
        let (valid_from, valid_until) = validity(self.clock.now(), 30);
        let card = node.card();
        let entry = match node.config.role {
            NodeRole::Issuer => {
                let prefix = if node.config.name.as_str().starts_with("issuer") { "K7" } else { "M2" };
                let prefixes = vec![prefix.parse().unwrap()];
                Enrolment::Issuer(Box::new(IssuerCard {
                    node: card,
                    prefixes,
                    delegation: None,
                    books_log: node.books_log(),
                    books_log_ended: node.books_log_ended(),
                    valid_from,
                    valid_until,
                }))
            }
            NodeRole::Agency => Enrolment::Agency(Box::new(AgencyCard {
                node: card,
                oris: vec!["CA0194200".parse().unwrap()],
                sealing: node.sealing.clone(),
                valid_from,
                valid_until,
            })),
            NodeRole::Dealer => Enrolment::Dealer(Box::new(DealerCard {
                node: card,
                licence: DEALER.parse().unwrap(),
                sealing: node.sealing.clone(),
                valid_from,
                valid_until,
            })),
            NodeRole::Witness => {
                // One stands as it was enrolled before witnesses had a second key.
                let second = node.config.name.as_str() != "defence.example";
                let card = node.witness_card();
                let key_ml_dsa_44 = card.key_ml_dsa_44.filter(|_| second);
                Enrolment::Witness(WitnessCard { key_ml_dsa_44, ..card })
            }
            NodeRole::Directory => unreachable!("a directory does not enrol itself"),
        };
        self.enrol_as(node, &entry);
    }

    /// Puts an entry that a node signs in the place of what stands.
    pub(crate) fn enrol_as(&self, node: &Node, entry: &Enrolment) {
        let card = Card::sign(entry, &node.statements, None).unwrap();
        let rules = EnrolRules { replace: true, ..EnrolRules::default() };
        enrol(&self.path("directory"), &[card], &rules).unwrap();
    }
}

/// Below those that systems give to whoever asks for any (from 32768 or 49152 on).
const FIRST_PORT: u32 = 12_000;
const PORTS: u32 = 20_000;

const ROLES: [(&str, NodeRole); 7] = [
    ("directory", NodeRole::Directory),
    ("makers", NodeRole::Witness),
    ("oversight", NodeRole::Witness),
    ("defence", NodeRole::Witness),
    ("issuer", NodeRole::Issuer),
    ("second", NodeRole::Issuer),
    ("agency", NodeRole::Agency),
];

/// A listener on a port that the system gives to nobody by itself: a node that is stopped finds it free when it comes back, whoever
/// connects to whom meanwhile. Within a process each port is given once.
pub(crate) fn listener() -> Parts {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::random_range(0..PORTS)));
    let free = std::iter::repeat_with(|| {
        let port = FIRST_PORT + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        TcpListener::bind(("127.0.0.1", u16::try_from(port).unwrap())).ok()
    });
    let listener = free.take(PORTS as usize).flatten().next().expect("one of them is free");
    let url = format!("http://{}", listener.local_addr().unwrap());
    Parts { listener, url }
}

pub(crate) fn node(data: &Path, role: NodeRole, name: &str, url: &str) -> Node {
    let mut config = NodeConfig::new(role, name.parse().unwrap(), url);
    config.programs_ask = role == NodeRole::Agency;
    Node::create(data, config).unwrap()
}

/// Books with six pistols.
async fn books(folder: &Path, (prefix, licence): (&str, &str), database: Database) -> Vec<Code> {
    let name: registry::names::PartyName = format!("Maker {prefix} (synthetic)").parse().unwrap();
    let new = NewIssuer {
        name: name.clone(),
        licence: Some(licence.parse().unwrap()),
        prefix: prefix.parse().unwrap(),
        database,
    };
    let now = Timestamp::now();
    let books = Books::create(folder, &new, now).await.unwrap();
    let run = IssueRun {
        model: "M9".parse().unwrap(),
        description: Description {
            manufacturer: name,
            importer: None,
            kind: FirearmKind::Pistol,
            calibre: "9 mm Luger".parse().unwrap(),
            country: "US".parse().unwrap(),
        },
        serials: serial_run(&"AB10001".parse().unwrap(), 6).unwrap(),
        parts: Part::ALL.to_vec(),
        prefix: None,
        made_on: "2024-01-02".parse().unwrap(),
        resume: false,
    };
    let mut issued = Vec::new();
    books
        .issue(&run, &"line 1".parse().unwrap(), now, |chunk| issued.extend_from_slice(chunk))
        .await
        .unwrap();
    let dealer = Licensee::new(DEALER, "Corner Guns (synthetic)").unwrap();
    let mut entries = Vec::new();
    for (at, one) in issued.iter().enumerate().take(3) {
        let firearm = FirearmKey {
            licence: books.issuer().licence,
            model: run.model.clone(),
            serial: one.serial.clone(),
        };
        let to = Recipient::Licensee(dealer.clone());
        let event = Event::Disposed { holder: books.issuer(), to };
        entries.push(NewEntry {
            firearm: firearm.clone(),
            event,
            on: "2024-02-01".parse().unwrap(),
            description: None,
        });
        if at < 2 {
            let to = Recipient::Form4473(format!("2024-081{at}").parse().unwrap());
            let event = Event::Disposed { holder: dealer.clone(), to };
            entries.push(NewEntry { firearm, event, on: "2024-04-01".parse().unwrap(), description: None });
        }
    }
    for entry in entries {
        books.record(&entry, &"clerk".parse().unwrap(), now).await.unwrap();
    }
    books.close().await;
    issued.iter().map(|one| one.code).collect()
}

/// Takes the log of a folder's node away, once nothing is on its way into it.
pub(crate) fn break_log_of(folder: &Path) {
    let node = folder.join("node");
    let log = node.join("log");
    let settled = || {
        let mut entries = 0;
        Ledger::records(&node, |_| entries += 1).unwrap();
        let shown = std::fs::read(log.join("checkpoint")).unwrap();
        SignedCheckpoint::parse(&shown).unwrap().checkpoint.size == entries
    };
    for _ in 0..600 {
        if settled() {
            return std::fs::rename(&log, log.with_extension("aside")).unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("something is always on its way into the folder");
}

/// Waits until something holds; so long that it holds then or never.
pub(crate) async fn until<T: AsyncFnMut() -> bool>(what: &str, mut holds: T) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never: {what}");
}

/// A question as a detective would ask it.
pub(crate) fn question(codes: &[(Code, f64)]) -> Question {
    Question {
        schema: Question::SCHEMA.to_owned(),
        id: uuid::Uuid::now_v7(),
        kind: QuestionKind::Chain {},
        ori: "CA0194200".parse().unwrap(),
        case_number: "26-0001".parse().unwrap(),
        crime_code: "0999".parse().unwrap(),
        priority: Urgency::Routine,
        reason: "case recovered at a scene".parse().unwrap(),
        requester: "det. example".parse().unwrap(),
        approver: "sgt. example".parse().unwrap(),
        codes: codes
            .iter()
            .map(|(code, posterior)| AskedCode { code: *code, on_round: false, posterior: *posterior })
            .collect(),
        // Another reading for other codes.
        reading_sha256: Some(hex::encode(Sha256::digest(format!("{codes:?}")))),
        typed_by: None,
        recovered_on: Some("2025-04-01".parse().unwrap()),
        parts: Vec::new(),
    }
}
