//! People at an agency's node over HTTP, as their browsers would speak.

use std::pin::Pin;

use serde_json::{Value, json};
use server::access::{Access, Role, Roles};
use server::federation::{Message, Start};
use server::{Client, Clock, Ledger, Node};

use crate::authenticator::Authenticator;
use crate::world::World;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A federation whose agency has people.
pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) client: Client,
    pub(crate) url: String,
    /// Which node of the federation.
    pub(crate) name: &'static str,
}

/// One person with a passkey, signed in.
pub(crate) struct Someone {
    pub(crate) name: String,
    pub(crate) session: String,
    pub(crate) passkey: Authenticator,
}

impl Office {
    /// With one operator, signed in.
    pub(crate) async fn open() -> (Self, Someone) {
        Self::at("agency").await
    }

    /// The same at any node.
    pub(crate) async fn at(name: &'static str) -> (Self, Someone) {
        let mut world = World::start().await;
        let listener = world.stop_for_a_while(name).await;
        let address = listener.local_addr().unwrap();
        let token = invite_first(&world.node(name), &world.clock).await;
        world.serve(name, listener).await;
        let client = Client::new(std::time::Duration::from_secs(30));
        let office = Self { world, client, url: format!("http://{address}"), name };
        let operator = office.enrol("op. example", &token, 1).await;
        (office, operator)
    }

    /// Invites somebody and signs them in for the first time.
    pub(crate) async fn join(&self, operator: &Someone, name: &str, roles: &[Role], seed: u8) -> Someone {
        let body = json!({"name": name, "roles": roles});
        let (status, answer) = self.call("POST", "/access/v1/accounts", Some(&operator.session), &body).await;
        assert_eq!(status, 201, "{answer}");
        self.enrol(name, answer["token"].as_str().unwrap(), seed).await
    }

    /// Sets password and passkey; where the account has to be confirmed, that is done on the node's machine.
    async fn enrol(&self, name: &str, token: &str, seed: u8) -> Someone {
        let (mut someone, waits) = self.set_up(name, token, seed).await;
        if let Some(passkey) = waits {
            let (status, answer) = self.confirm(&self.machine(), name, &passkey).await;
            assert_eq!(status, 204, "{answer}");
            assert_eq!(self.sign_in(&mut someone, PASSWORD).await, 200);
        }
        someone
    }

    /// The secret of the machine's own commands.
    pub(crate) fn machine(&self) -> String {
        self.world.node(self.name).machine_token().unwrap()
    }

    /// Says what passkey somebody has.
    pub(crate) async fn confirm(&self, session: &str, name: &str, passkey: &str) -> (u16, Value) {
        let path = format!("/access/v1/accounts/{}/confirmation", name.replace(' ', "%20"));
        self.call("POST", &path, Some(session), &json!({"passkey": passkey})).await
    }

    /// Sets password and passkey; with the session, or with what its owner tells whoever confirms it.
    pub(crate) async fn set_up(&self, name: &str, token: &str, seed: u8) -> (Someone, Option<String>) {
        let body = json!({"name": name, "token": token, "password": PASSWORD});
        let (status, begun) = self.call("POST", "/access/v1/enrolment", None, &body).await;
        assert_eq!(status, 200, "{begun}");
        let origin = self.url.replace("127.0.0.1", "localhost");
        let passkey = Authenticator::new(seed, &origin);
        let credential = passkey.register(&begun["register"]);
        let session = begun["session"].as_str().unwrap();
        let (status, signed) = self.call("POST", "/access/v1/passkey", Some(session), &credential).await;
        assert_eq!(status, 200, "{signed}");
        let text = |field: &str| signed[field].as_str().map(str::to_owned);
        let session = text("session").unwrap_or_default();
        assert_ne!(session.is_empty(), text("unconfirmed").is_none(), "{signed}");
        (Someone { name: name.to_owned(), session, passkey }, text("unconfirmed"))
    }

    /// Signs somebody in anew.
    pub(crate) async fn sign_in(&self, someone: &mut Someone, password: &str) -> u16 {
        let body = json!({"name": someone.name, "password": password});
        let (status, begun) = self.call("POST", "/access/v1/sign-in", None, &body).await;
        if status != 200 {
            return status;
        }
        let credential = someone.passkey.sign(&begun["sign"]);
        let session = begun["session"].as_str().unwrap();
        let (status, signed) = self.call("POST", "/access/v1/passkey", Some(session), &credential).await;
        if status == 200 {
            signed["session"].as_str().unwrap().clone_into(&mut someone.session);
        }
        status
    }

    /// Looks at a question and approves it as seen.
    pub(crate) async fn approve(&self, place: &str, approver: &Someone) -> (u16, Value) {
        let seen = self.call("GET", place, Some(&approver.session), &Value::Null).await.1;
        let body = json!({"draft_sha256": seen["draft_sha256"].as_str().unwrap_or_default()});
        self.call("POST", &format!("{place}/approval"), Some(&approver.session), &body).await
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        session: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let content = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let mut message = Message::request(method, &format!("{}{path}", self.url));
        if let Some(session) = session {
            message = message.with("authorization", &format!("Bearer {session}"));
        }
        self.send(&message, content).await
    }

    pub(crate) async fn send(&self, message: &Message, content: Vec<u8>) -> (u16, Value) {
        let (answer, content) = self.client.send(message, content).await.unwrap();
        let Start::Answer(status) = answer.start else { panic!("no answer") };
        (status, serde_json::from_slice(&content).unwrap_or_default())
    }
}

/// The first operator is invited on the node's own machine.
async fn invite_first(node: &Node, clock: &Clock) -> String {
    let ledger = Ledger::open(&node.folder, &node.log).unwrap();
    let access = Access::open(node).unwrap();
    assert!(!access.has_operator().await);
    let whom = ("this machine", "op. example".parse().unwrap(), Roles::new([Role::Operator]).unwrap());
    access.invite(whom, &ledger, clock.now()).await.unwrap()
}

/// An office, its operator, and a requester, an approver and an auditor.
type Staffed = (Office, Someone, [Someone; 3]);

/// An agency's office with its operator, a requester, an approver and an auditor.
pub(crate) fn staffed() -> Pin<Box<dyn Future<Output = Staffed>>> {
    Box::pin(async {
        let (office, operator) = Office::open().await;
        let staff = [
            office.join(&operator, "det. example", &[Role::Requester], 2).await,
            office.join(&operator, "sgt. example", &[Role::Approver], 3).await,
            office.join(&operator, "ombudsman example", &[Role::Auditor], 4).await,
        ];
        (office, operator, staff)
    })
}
