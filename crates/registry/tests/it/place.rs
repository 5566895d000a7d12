//! Where the books of a test lie: a folder with SQLite, or a PostgreSQL server that the test starts itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use jiff::Timestamp;
use registry::parts::{Change, PartyKey, PartyKind, SignedChange, Work};
use registry::{
    Books, Database, Description, Event, FirearmKey, FirearmKind, IssueRun, Issued, Licensee, NewEntry,
    NewIssuer, Part, Recipient, serial_run,
};
use tempfile::TempDir;
use transparency::SigningKey;

/// One test over SQLite and over PostgreSQL; each function takes its [`Place`].
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {$(
            #[tokio::test]
            async fn $name() {
                if let Some(place) = $crate::place::Place::sqlite().await {
                    super::$name(place).await;
                }
            }
        )*}
        mod postgres {$(
            #[tokio::test]
            async fn $name() {
                if let Some(place) = $crate::place::Place::postgres().await {
                    super::$name(place).await;
                }
            }
        )*}
    };
}
pub(crate) use on_both;

/// A test's books and what keeps them alive.
pub(crate) struct Place {
    pub(crate) books: Books,
    pub(crate) folder: TempDir,
    pub(crate) server: Option<Arc<Server>>,
}

pub(crate) const MODEL: &str = "M9 (synthetic)";

pub(crate) fn now() -> Timestamp {
    "2026-01-15T12:00:00Z".parse().unwrap()
}

pub(crate) fn issuer(database: Database) -> NewIssuer {
    NewIssuer {
        name: "Example Arms (synthetic)".parse().unwrap(),
        licence: Some("1-23-456-78-9A-12345".parse().unwrap()),
        prefix: "K7".parse().unwrap(),
        database,
    }
}

pub(crate) fn run(first: &str, count: u32) -> IssueRun {
    IssueRun {
        model: MODEL.parse().unwrap(),
        description: description(),
        serials: serial_run(&first.parse().unwrap(), count).unwrap(),
        parts: Part::ALL.to_vec(),
        prefix: None,
        made_on: "2024-01-02".parse().unwrap(),
        resume: false,
    }
}

pub(crate) fn description() -> Description {
    Description {
        manufacturer: "Example Arms (synthetic)".parse().unwrap(),
        importer: None,
        kind: FirearmKind::Pistol,
        calibre: "9 mm Luger".parse().unwrap(),
        country: "US".parse().unwrap(),
    }
}

pub(crate) fn wholesaler() -> Licensee {
    Licensee::new("1-23-456-01-9A-22222", "Wholesale One (synthetic)").unwrap()
}

pub(crate) fn dealer() -> Licensee {
    Licensee::new("1-23-456-01-9A-33333", "Corner Guns (synthetic)").unwrap()
}

pub(crate) fn sold() -> Event {
    Event::Disposed { holder: dealer(), to: Recipient::Form4473("T-0815".parse().unwrap()) }
}

/// The key that a house signs with.
pub(crate) fn bench(party: &Licensee) -> SigningKey {
    let mut seed = [0; 32];
    seed[..20].copy_from_slice(party.licence.as_str().as_bytes());
    SigningKey::log(&format!("{}/bench", party.licence), &seed).unwrap()
}

impl Place {
    pub(crate) async fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let books = Books::create(folder.path(), &issuer(Database::Embedded), now()).await.unwrap();
        Some(Self { books, folder, server: None })
    }

    /// `None`, said loudly, where PostgreSQL is not installed.
    pub(crate) async fn postgres() -> Option<Self> {
        Self::on(Server::shared()?).await
    }

    /// On a server that no other test uses.
    pub(crate) async fn own_postgres() -> Option<Self> {
        Self::on(Arc::new(Server::start(installed()?))).await
    }

    async fn on(server: Arc<Server>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url = server.new_database();
        let books = Books::create(folder.path(), &issuer(Database::Postgres(url)), now()).await.unwrap();
        Some(Self { books, folder, server: Some(server) })
    }

    /// The address of an empty database on the same server.
    pub(crate) fn another_database(&self) -> Option<String> {
        self.server.as_ref().map(|server| server.new_database())
    }

    /// The address of the database of these books, which lie on a server.
    pub(crate) fn server_address(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("issuer.toml")).unwrap();
        text.lines().find_map(|line| line.strip_prefix("postgres = ")).unwrap().trim_matches('"').to_owned()
    }

    /// Closes the books and opens them again, as after a restart.
    pub(crate) async fn reopened(self) -> Self {
        let Self { books, folder, server } = self;
        books.close().await;
        let books = Books::open(folder.path(), now()).await.unwrap();
        Self { books, folder, server }
    }

    /// Opens the books again as after a crash: nothing says of the last act that it took effect.
    pub(crate) async fn crashed(self) -> Self {
        let Self { books, folder, server } = self;
        drop(books);
        let books = Books::open(folder.path(), now()).await.unwrap();
        Self { books, folder, server }
    }

    pub(crate) async fn issue(&self, run: &IssueRun) -> Vec<Issued> {
        let mut issued = Vec::new();
        let by = "line 1".parse().unwrap();
        self.books.issue(run, &by, now(), |chunk| issued.extend_from_slice(chunk)).await.unwrap();
        issued
    }

    pub(crate) fn key(&self, serial: &str) -> FirearmKey {
        FirearmKey {
            licence: self.books.issuer().licence,
            model: MODEL.parse().unwrap(),
            serial: serial.parse().unwrap(),
        }
    }

    pub(crate) fn entry(&self, serial: &str, event: Event, on: &str) -> NewEntry {
        NewEntry { firearm: self.key(serial), event, on: on.parse().unwrap(), description: None }
    }

    pub(crate) async fn record(&self, serial: &str, event: Event, on: &str) -> Result<u64, String> {
        let new = self.entry(serial, event, on);
        let part = match &new.event {
            Event::PartFitted { part, code, .. } => Some(Work::Fitted { part: *part, code: *code }),
            Event::PartRemoved { part, code, .. } => Some(Work::Removed { part: *part, code: *code }),
            _ => None,
        };
        if let Some(work) = part.filter(|_| !new.event.holder().is(&self.books.issuer())) {
            self.registered(new.event.holder()).await;
            let signed = self.change(serial, work, new.event.holder(), on);
            return self.enter(&signed.sign(&bench(new.event.holder())).unwrap()).await;
        }
        self.books.record(&new, &"clerk".parse().unwrap(), now()).await.map_err(|error| error.to_string())
    }

    /// Registers the key of a house for the years 2024 to 2029, unless it is known.
    pub(crate) async fn registered(&self, party: &Licensee) {
        let new = PartyKey {
            key: bench(party).verifier().clone(),
            party: party.clone(),
            kind: PartyKind::Dealer,
            valid_from: "2024-01-01T00:00:00Z".parse().unwrap(),
            valid_until: "2030-01-01T00:00:00Z".parse().unwrap(),
        };
        let known = self.books.party_keys().await.unwrap();
        if known.iter().all(|one| one.key.key != new.key) {
            self.books.register_key(&new, &"clerk".parse().unwrap(), now()).await.unwrap();
        }
    }

    /// What a house signs for these books.
    pub(crate) fn change(&self, serial: &str, work: Work, by: &Licensee, on: &str) -> Change {
        let times = (on.parse().unwrap(), now());
        Change::new(self.books.log_name(), self.key(serial), by.clone(), work, times)
    }

    /// Enters a signed change; the number of its first entry.
    pub(crate) async fn enter(&self, signed: &SignedChange) -> Result<u64, String> {
        let done = self.books.enter_change(signed, &"clerk".parse().unwrap(), now()).await;
        done.map(|numbers| numbers[0]).map_err(|error| error.to_string())
    }

    /// Manufacturer to dealer.
    pub(crate) async fn ship(&self, serial: &str) {
        let event = Event::Disposed { holder: self.books.issuer(), to: Recipient::Licensee(dealer()) };
        self.record(serial, event, "2024-02-01").await.unwrap();
    }

    /// Manufacturer to wholesaler to dealer to a buyer.
    pub(crate) async fn ship_and_sell(&self, serial: &str) {
        let maker = self.books.issuer();
        let first = Event::Disposed { holder: maker, to: Recipient::Licensee(wholesaler()) };
        let second = Event::Disposed { holder: wholesaler(), to: Recipient::Licensee(dealer()) };
        self.record(serial, first, "2024-02-01").await.unwrap();
        self.record(serial, second, "2024-03-01").await.unwrap();
        self.record(serial, sold(), "2024-04-01").await.unwrap();
    }
}

/// A PostgreSQL server on a Unix socket in a folder of its own; it stops when the last test lets go of it.
pub(crate) struct Server {
    folder: PathBuf,
    programs: PathBuf,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start(installed()?));
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    fn start(programs: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let server = Self { folder, programs };
        let (folder, data) = (server.folder.display(), server.folder.join("data"));
        if is_root() {
            assert!(shell(&format!("chown postgres {folder}")), "the folder goes to the server's user");
        }
        server.run(&format!("initdb -D {} -U microstamp -A trust --no-sync", data.display()));
        server.begin();
        server
    }

    /// Starts the server on its data.
    pub(crate) fn begin(&self) {
        let folder = self.folder.display();
        let options = format!("-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off");
        self.run(&format!("pg_ctl -D {folder}/data -l {folder}/log -o '{options}' -w start"));
    }

    /// Stops the server at once, as a crash would.
    pub(crate) fn stop(&self) {
        self.run(&format!("pg_ctl -D {}/data -m immediate -w stop", self.folder.display()));
    }

    /// Lets every process of the server stand still, as a machine that lost its power looks from here.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        assert!(shell(&format!("kill -{name} $(ps -o pid= --ppid {pid}) {pid}")));
    }

    fn new_database(&self) -> String {
        let name = format!("books_{}", uuid::Uuid::now_v7().simple());
        let socket = self.folder.display();
        self.run(&format!("createdb -h {socket} -U microstamp {name}"));
        let socket = socket.to_string().replace('/', "%2F");
        format!("postgres://microstamp@{socket}/{name}")
    }

    /// Runs a program of PostgreSQL, as its own user where the test runs as root, because it refuses root.
    fn run(&self, command: &str) {
        let command =
            format!("{}/{command} >>{}/output 2>&1", self.programs.display(), self.folder.display());
        let command = if is_root() { format!("su postgres -s /bin/sh -c \"{command}\"") } else { command };
        assert!(shell(&command), "`{command}` failed; see {}", self.folder.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// The newest PostgreSQL of this machine; where there is none, it is said loudly.
fn installed() -> Option<PathBuf> {
    let programs = programs();
    if programs.is_none() {
        eprintln!("PostgreSQL is not installed under /usr/lib/postgresql: its half of the suite did not run");
    }
    programs
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut versions: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    versions.into_iter().rev().find(|programs| programs.join("initdb").is_file())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

fn shell(command: &str) -> bool {
    Command::new("sh").arg("-c").arg(command).current_dir(Path::new("/")).status().unwrap().success()
}
