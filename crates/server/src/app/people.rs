//! What people do over HTTP: sign in, keep accounts, file and approve questions, audit.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use registry::names::{Person, Reason};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusals;
use super::routes::{LIMIT, Named, json as respond, same};
use crate::access::{
    Access, AccessError, Account, Action, Finished, MACHINE, Role, Roles, Signed, Step, Word,
};
use crate::api::{AttachedReading, EntryDraft};
use crate::clock::Clock;
use crate::config::Node;
use crate::ledger::{Act, Ledger};
use crate::problem::{Problem, ProblemKind};
use crate::roles::{Agency, Desk, DirectoryHolder, Filed, Issuer, PAGE};
use crate::telemetry::Metrics;
use crate::tls::Peer;

/// Longest idempotency key.
const KEY: usize = 128;

/// Whose accounts these are, and whose log their acts go into.
#[derive(Clone)]
pub(super) enum Owner {
    Agency(Arc<Agency>),
    Issuer(Arc<Issuer>),
}

/// What the routes of people share.
#[derive(Clone)]
pub(super) struct People {
    pub(super) access: Arc<Access>,
    pub(super) owner: Owner,
    pub(super) desk: Option<Arc<Desk>>,
    /// What the machine's own commands show; made anew at each start.
    pub(super) machine: String,
    pub(super) clock: Clock,
}

type Answer = Result<Response, Problem>;

/// The routes of people at a node.
pub(super) fn routes(people: People) -> Router {
    let mut routes = Router::new()
        .route("/access/v1/enrolment", post(enrol))
        .route("/access/v1/sign-in", post(sign_in))
        .route("/access/v1/passkey", post(passkey))
        .route("/access/v1/session", get(session).delete(sign_out))
        .route("/access/v1/accounts", get(accounts).post(invite))
        .route("/access/v1/accounts/{name}", axum::routing::delete(close))
        .route("/access/v1/accounts/{name}/roles", put(set_roles))
        .route("/access/v1/accounts/{name}/invitation", post(invite_anew))
        .route("/access/v1/accounts/{name}/confirmation", post(confirm))
        .route("/access/v1/records", get(records));
    if people.desk.is_some() {
        routes = routes
            .route("/agency/v1/questions", get(questions).post(file))
            .route("/agency/v1/reminders", get(desk_reminders))
            .route("/agency/v1/questions/{id}", get(question))
            .route("/agency/v1/questions/{id}/approval", post(approve))
            .route("/agency/v1/questions/{id}/refusal", post(refuse))
            .route("/agency/v1/questions/{id}/withdrawal", post(withdraw))
            .route("/agency/v1/questions/{id}/reading", put(attach))
            .route("/agency/v1/questions/{id}/renewal", post(renew));
    }
    if matches!(people.owner, Owner::Issuer(_)) {
        routes = routes
            .route("/registry/v1/codes/{code}", get(code_status))
            .route("/registry/v1/reminders", get(dealers_reminders))
            .route("/registry/v1/entries", post(record));
    }
    let noted = middleware::from_fn_with_state(people.clone(), refusals::noted);
    routes.route_layer(noted).with_state(people)
}

impl Owner {
    pub(super) fn node(&self) -> &Node {
        match self {
            Self::Agency(agency) => &agency.node,
            Self::Issuer(issuer) => &issuer.node,
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        match self {
            Self::Agency(agency) => &agency.ledger,
            Self::Issuer(issuer) => &issuer.ledger,
        }
    }

    pub(super) fn directory(&self) -> &DirectoryHolder {
        match self {
            Self::Agency(agency) => &agency.directory,
            Self::Issuer(issuer) => &issuer.directory,
        }
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        match self {
            Self::Agency(agency) => &agency.metrics,
            Self::Issuer(issuer) => &issuer.metrics,
        }
    }
}

impl People {
    pub(super) fn ledger(&self) -> &Ledger {
        self.owner.ledger()
    }

    fn issuer(&self) -> Result<&Issuer, Problem> {
        match &self.owner {
            Owner::Issuer(issuer) => Ok(issuer),
            Owner::Agency(_) => Err(ProblemKind::NotFound.because("this node keeps no issuer's books")),
        }
    }

    fn desk(&self) -> Result<&Desk, Problem> {
        self.desk.as_deref().ok_or_else(|| ProblemKind::NotFound.because("this node asks no questions"))
    }

    /// Enters that somebody looks at what is not their own, before it is shown.
    async fn seen(&self, by: &Signed, what: Value) -> Result<(), Problem> {
        let act = Act::new("seen", json!({"by": by.person, "what": what}));
        let entered = self.ledger().enter(&[act], self.clock.now()).await;
        entered.map(drop).map_err(|error| ProblemKind::NoLog.because(error))
    }

    /// The same for acts that are also done on the node's own machine, by whoever can read its secret; who acts, in words.
    async fn permit_here(&self, headers: &HeaderMap, action: Action) -> Result<String, Problem> {
        if same(bearer(headers)?.as_bytes(), self.machine.as_bytes()) {
            return Ok(MACHINE.to_owned());
        }
        Ok(self.permit(headers, action).await?.person.to_string())
    }

    async fn permit(&self, headers: &HeaderMap, action: Action) -> Result<Signed, Problem> {
        Ok(self.access.permit(bearer(headers)?, action, self.clock.now()).await?)
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let kind = match &error {
            AccessError::Failed | AccessError::NoSession => ProblemKind::NotSignedIn,
            AccessError::NotPermitted(_)
            | AccessError::Own
            | AccessError::Inviter(_)
            | AccessError::Proposer(_) => ProblemKind::Forbidden,
            AccessError::Password => ProblemKind::Malformed,
            AccessError::Taken(_)
            | AccessError::Full
            | AccessError::NoDomain
            | AccessError::NotProposed(_)
            | AccessError::NotAwaited(_) => ProblemKind::Conflict,
            AccessError::Unknown(_) => ProblemKind::NotFound,
            AccessError::Busy | AccessError::Slowed => ProblemKind::Busy,
            AccessError::Log(_) => ProblemKind::NoLog,
            AccessError::File(_) => ProblemKind::Fault,
        };
        kind.because(error)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    name: Person,
    token: String,
    password: String,
}

async fn enrol(State(people): State<People>, request: Request) -> Answer {
    let from = source(&request);
    let (_, asked): (_, Enrolment) = content(request).await?;
    let who = (&asked.name, &*asked.token, &*asked.password);
    Ok(step(people.access.enrol(who, from, people.ledger(), people.clock.now()).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: Person,
    password: String,
}

async fn sign_in(State(people): State<People>, request: Request) -> Answer {
    let from = source(&request);
    let (_, asked): (_, SignIn) = content(request).await?;
    let who = (&asked.name, &*asked.password);
    Ok(step(people.access.sign_in(who, from, people.ledger(), people.clock.now()).await?))
}

async fn passkey(State(people): State<People>, request: Request) -> Answer {
    let from = source(&request);
    let (headers, credential): (_, Value) = content(request).await?;
    let answer = (bearer(&headers)?, credential);
    let shown = match people.access.finish(answer, from, people.ledger(), people.clock.now()).await? {
        Finished::Signed(secret, signed) => {
            let mut shown = shown(&signed);
            shown["session"] = secret.into();
            shown
        }
        Finished::Waits { person, passkey } => json!({"person": person, "unconfirmed": passkey}),
    };
    Ok(respond(shown.to_string()))
}

async fn session(State(people): State<People>, headers: HeaderMap) -> Answer {
    let signed = people.access.who(bearer(&headers)?, people.clock.now()).await?;
    Ok(respond(shown(&signed).to_string()))
}

async fn sign_out(State(people): State<People>, headers: HeaderMap) -> Answer {
    people.access.sign_out(bearer(&headers)?, people.ledger(), people.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page<T> {
    after: Option<T>,
    limit: Option<usize>,
}

impl<T> Page<T> {
    fn most(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(PAGE) {
            most if (1..=PAGE).contains(&most) => Ok(most),
            _ => Err(ProblemKind::Malformed.because(format!("`limit` is 1 to {PAGE}"))),
        }
    }
}

async fn accounts(
    State(people): State<People>,
    headers: HeaderMap,
    page: Result<Query<Page<Person>>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let by = people.permit(&headers, Action::SeeAccounts).await?;
    let page = paged(page)?;
    let most = page.most()?;
    people.seen(&by, json!({"accounts": most, "after": page.after})).await?;
    let mut all = people.access.list().await;
    all.retain(|account| page.after.as_ref().is_none_or(|after| account.name > *after));
    let more = all.len() > most;
    all.truncate(most);
    let next = all.last().filter(|_| more).map(|account| account.name.clone());
    let shown: Vec<Value> = all.iter().map(account).collect();
    Ok(respond(json!({"accounts": shown, "next": next}).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    name: Person,
    roles: Vec<Role>,
}

async fn invite(State(people): State<People>, request: Request) -> Answer {
    let by = people.permit_here(request.headers(), Action::ManageAccounts).await?;
    let (_, asked): (_, Invitation) = content(request).await?;
    let whom = (&*by, asked.name, together(asked.roles)?);
    let token = people.access.invite(whom, people.ledger(), people.clock.now()).await?;
    Ok((StatusCode::CREATED, respond(json!({"token": token}).to_string())).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRoles {
    roles: Vec<Role>,
}

async fn set_roles(State(people): State<People>, Named(name): Named, request: Request) -> Answer {
    let by = people.permit(request.headers(), Action::ManageAccounts).await?;
    let (_, asked): (_, NewRoles) = content(request).await?;
    let whom = (&by.person, &person(&name)?, together(asked.roles)?);
    let waits = people.access.set_roles(whom, people.ledger(), people.clock.now()).await?;
    Ok(if waits { StatusCode::ACCEPTED } else { StatusCode::NO_CONTENT }.into_response())
}

async fn invite_anew(State(people): State<People>, Named(name): Named, headers: HeaderMap) -> Answer {
    let by = people.permit_here(&headers, Action::ManageAccounts).await?;
    let whom = (&*by, &person(&name)?);
    let token = people.access.invite_anew(whom, people.ledger(), people.clock.now()).await?;
    Ok(respond(json!({"token": token}).to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    passkey: Option<String>,
    roles: Option<Vec<Role>>,
}

async fn confirm(State(people): State<People>, Named(name): Named, request: Request) -> Answer {
    let by = people.permit_here(request.headers(), Action::ConfirmAccounts).await?;
    let (_, said): (_, Confirmation) = content(request).await?;
    let roles = said.roles.map(together).transpose()?;
    let word = match (&said.passkey, &roles) {
        (Some(passkey), None) => Word::Passkey(passkey),
        (None, Some(roles)) => Word::Roles(roles),
        _ => return Err(ProblemKind::Malformed.because("either `passkey` or `roles` is confirmed")),
    };
    let whom = (&*by, &person(&name)?, word);
    people.access.confirm(whom, people.ledger(), people.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn close(State(people): State<People>, Named(name): Named, headers: HeaderMap) -> Answer {
    let by = people.permit(&headers, Action::ManageAccounts).await?;
    people.access.close((&by.person, &person(&name)?), people.ledger(), people.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The records behind the log, with the salts that prove them.
async fn records(
    State(people): State<People>,
    headers: HeaderMap,
    page: Result<Query<Page<u64>>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let by = people.permit(&headers, Action::SeeRecords).await?;
    let page = paged(page)?;
    let most = page.most()?;
    let from = page.after.map_or(0, |after| after.saturating_add(1));
    // Who reads the records stands in them.
    people.seen(&by, json!({"records": most, "from": from})).await?;
    let owner = people.clone();
    let read = tokio::task::spawn_blocking(move || owner.ledger().from_entry(from, most + 1));
    let read = read.await.map_err(|error| ProblemKind::Fault.because(error))?;
    let mut page = read.map_err(|error| ProblemKind::NoLog.because(error))?;
    let more = page.len() > most;
    page.truncate(most);
    let next = page.last().filter(|_| more).map(|stored| stored.entered.index);
    let records: Vec<_> = page.iter().map(|stored| &stored.entered).collect();
    Ok(respond(json!({"records": records, "next": next}).to_string()))
}

async fn file(State(people): State<People>, request: Request) -> Answer {
    let by = people.permit(request.headers(), Action::FileQuestion).await?;
    let key = idempotency_key(request.headers())?;
    let (_, content) = bytes(request).await?;
    let filed = people.desk()?.file(by, (&content, key), people.clock.now()).await?;
    let place = [(header::LOCATION, format!("/agency/v1/questions/{}", filed.id))];
    Ok((StatusCode::CREATED, place, respond(text(&filed)?)).into_response())
}

async fn questions(
    State(people): State<People>,
    headers: HeaderMap,
    page: Result<Query<Page<Uuid>>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let signed = people.permit(&headers, Action::SeeQuestions).await?;
    let page = paged(page)?;
    let most = page.most()?;
    if own(&signed).is_none() {
        people.seen(&signed, json!({"questions": most, "after": page.after})).await?;
    }
    let (seen, more) = people.desk()?.page(page.after, most, own(&signed))?;
    let next = seen.last().filter(|_| more).map(|filed| filed.id);
    let seen = seen.iter().map(on_desk).collect::<Result<Vec<_>, _>>()?;
    Ok(respond(json!({"questions": seen, "next": next}).to_string()))
}

/// What waits for an approver or a dealer, and until when.
async fn desk_reminders(
    State(people): State<People>,
    headers: HeaderMap,
    page: Result<Query<Page<Uuid>>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let signed = people.permit(&headers, Action::SeeQuestions).await?;
    let page = paged(page)?;
    let most = page.most()?;
    if own(&signed).is_none() {
        people.seen(&signed, json!({"reminders": most, "after": page.after})).await?;
    }
    let list = people.desk()?.waiting_list(own(&signed), (page.after, most));
    Ok(respond(list.to_string()))
}

/// Which dealers an issuer's answers wait for, and until when.
async fn dealers_reminders(
    State(people): State<People>,
    headers: HeaderMap,
    page: Result<Query<Page<Uuid>>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let by = people.permit(&headers, Action::SeeReminders).await?;
    let page = paged(page)?;
    let most = page.most()?;
    people.seen(&by, json!({"reminders": most, "after": page.after})).await?;
    Ok(respond(people.issuer()?.waiting_list((page.after, most)).to_string()))
}

async fn question(State(people): State<People>, Named(id): Named, headers: HeaderMap) -> Answer {
    let signed = people.permit(&headers, Action::SeeQuestions).await?;
    let filed = people.desk()?.see(number(&id)?, own(&signed))?;
    if filed.requester != signed.person {
        people.seen(&signed, json!({"question": filed.id})).await?;
    }
    Ok(respond(text(&filed)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    draft_sha256: String,
}

async fn approve(State(people): State<People>, Named(id): Named, request: Request) -> Answer {
    let by = people.permit(request.headers(), Action::ApproveQuestion).await?;
    let (_, seen): (_, Approval) = content(request).await?;
    let what = (number(&id)?, seen.draft_sha256);
    let filed = people.desk()?.approve(by, what, people.clock.now()).await?;
    Ok(respond(text(&filed)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    reason: Reason,
}

async fn refuse(State(people): State<People>, Named(id): Named, request: Request) -> Answer {
    let by = people.permit(request.headers(), Action::ApproveQuestion).await?;
    let (_, asked): (_, Refusal) = content(request).await?;
    let what = (number(&id)?, asked.reason);
    Ok(respond(text(&people.desk()?.refuse(by.person, what, people.clock.now()).await?)?))
}

async fn withdraw(State(people): State<People>, Named(id): Named, headers: HeaderMap) -> Answer {
    let by = people.permit(&headers, Action::FileQuestion).await?;
    let filed = people.desk()?.withdraw(&by.person, number(&id)?, people.clock.now()).await?;
    Ok(respond(text(&filed)?))
}

async fn attach(State(people): State<People>, Named(id): Named, request: Request) -> Answer {
    let by = people.permit(request.headers(), Action::AttachReading).await?;
    let (_, reading): (_, AttachedReading) = content(request).await?;
    let filed = people.desk()?.attach(by, (number(&id)?, reading), people.clock.now()).await?;
    Ok(respond(text(&filed)?))
}

/// Asks again what a dealer was to answer.
async fn renew(State(people): State<People>, Named(id): Named, headers: HeaderMap) -> Answer {
    let by = people.permit(&headers, Action::FileQuestion).await?;
    let filed = people.desk()?.renew(number(&id)?, Some(&by.person), people.clock.now()).await?;
    Ok(respond(text(&filed)?))
}

async fn code_status(State(people): State<People>, Named(code): Named, headers: HeaderMap) -> Answer {
    let by = people.permit(&headers, Action::SeeCodes).await?;
    let code = code.parse().map_err(|error| ProblemKind::Malformed.because(error))?;
    Ok(respond(people.issuer()?.code_status(&by.person, code).await?.to_string()))
}

async fn record(State(people): State<People>, request: Request) -> Answer {
    let by = people.permit(request.headers(), Action::RecordEntry).await?;
    let key = idempotency_key(request.headers())?;
    let (_, bytes) = bytes(request).await?;
    let entry: EntryDraft =
        serde_json::from_slice(&bytes).map_err(|error| ProblemKind::Malformed.because(error))?;
    let number = people.issuer()?.record(&by.person, (entry, &bytes), key.as_deref()).await?;
    Ok((StatusCode::CREATED, respond(json!({"entry": number}).to_string())).into_response())
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    match headers.get("idempotency-key").map(|key| key.to_str()) {
        None => Ok(None),
        Some(Ok(key)) if (1..=KEY).contains(&key.len()) && key.bytes().all(|one| one.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        Some(_) => {
            Err(ProblemKind::Malformed
                .because(format!("an idempotency key has 1 to {KEY} printable characters")))
        }
    }
}

/// A requester who is neither approver, auditor nor examiner sees only what it filed itself.
fn own(signed: &Signed) -> Option<&Person> {
    let all = [Role::Approver, Role::Auditor, Role::Examiner].iter().any(|role| signed.roles.contains(*role));
    (!all).then_some(&signed.person)
}

pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(|| {
        ProblemKind::NotSignedIn.because("this is for those who are signed in\nhint: sign in first")
    })
}

/// Where a request came from; behind a proxy that is the proxy's address.
pub(super) fn source(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<Peer>>().and_then(|ConnectInfo(peer)| peer.address)
}

async fn bytes(request: Request) -> Result<(HeaderMap, Vec<u8>), Problem> {
    let (parts, body) = request.into_parts();
    let content = to_bytes(body, LIMIT).await;
    let content = content.map_err(|_| ProblemKind::TooLarge.because("a request has at most 256 KiB"))?;
    Ok((parts.headers, content.to_vec()))
}

async fn content<T: DeserializeOwned>(request: Request) -> Result<(HeaderMap, T), Problem> {
    let (headers, bytes) = bytes(request).await?;
    let content = serde_json::from_slice(&bytes).map_err(|error| ProblemKind::Malformed.because(error))?;
    Ok((headers, content))
}

fn paged<T>(page: Result<Query<T>, axum::extract::rejection::QueryRejection>) -> Result<T, Problem> {
    page.map(|Query(page)| page).map_err(|error| ProblemKind::Malformed.because(error.body_text()))
}

fn number(id: &str) -> Result<Uuid, Problem> {
    id.parse().map_err(|_| ProblemKind::NotFound.because("a question's number is a UUID"))
}

fn person(name: &str) -> Result<Person, Problem> {
    name.parse().map_err(|error| ProblemKind::NotFound.because(error))
}

fn together(roles: Vec<Role>) -> Result<Roles, Problem> {
    Roles::new(roles).map_err(|error| ProblemKind::Malformed.because(error))
}

fn step((session, step): (String, Step)) -> Response {
    let body = match step {
        Step::Register(options) => json!({"session": session, "register": options}),
        Step::Sign(options) => json!({"session": session, "sign": options}),
    };
    respond(body.to_string())
}

fn shown(signed: &Signed) -> Value {
    json!({"person": signed.person, "roles": signed.roles, "until": signed.until})
}

fn account(account: &Account) -> Value {
    json!({
        "name": account.name, "roles": account.roles, "standing": account.standing, "used_at": account.used_at,
        "proposed": account.proposed,
    })
}

fn text(filed: &Filed) -> Result<String, Problem> {
    on_desk(filed).map(|filed| filed.to_string())
}

/// A question as people see it: with the hash that an approval names.
fn on_desk(filed: &Filed) -> Result<Value, Problem> {
    let mut shown = serde_json::to_value(filed).map_err(|error| ProblemKind::Fault.because(error))?;
    shown["draft_sha256"] = filed.draft_sha256().into();
    Ok(shown)
}
