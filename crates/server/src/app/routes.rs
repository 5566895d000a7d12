//! What each role answers over HTTP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tower_http::catch_panic::CatchPanicLayer;
use transparency::{FolderStore, Resource, TileStore as _};

use crate::api::NodeName;
use crate::client::entity_tag;
use crate::clock::Clock;
use crate::config::Node;
use crate::court::CourtFault;
use crate::federation::{Message, SEALED_REQUEST, Sealed, disclose, seal_refusal, sign_answer};
use crate::ledger::LogState;
use crate::problem::{Problem, ProblemKind};
use crate::roles::{Agency, AskError, Cosigned, DirectoryKeeper, Issuer, WitnessNode};
use crate::telemetry::Metrics;
use crate::tls::Peer;

/// Largest content of a request, in bytes.
pub(super) const LIMIT: usize = 256 << 10;
/// Time for one request.
const TIME: Duration = Duration::from_secs(20);

/// What the routes of every node share.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) node: Arc<Node>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) cosigned: Option<Arc<Cosigned>>,
    /// Of nodes that keep one.
    pub(super) log: Option<LogState>,
    /// Whether nothing is asked or answered before a quorum of witnesses was heard.
    pub(super) waits_for_witnesses: bool,
}

impl Common {
    /// The node's own counts, its log as it is at this moment.
    fn measured(&self) -> &Metrics {
        if let Some(log) = &self.log {
            let heard = log.is_heard() || !self.waits_for_witnesses;
            self.metrics.works("log", log.is_well() && heard);
            self.metrics.works("records", log.is_complete());
        }
        &self.metrics
    }
}

#[derive(Clone)]
struct IssuerState {
    issuer: Arc<Issuer>,
    books: Option<Arc<Cosigned>>,
    common: Common,
}

#[derive(Clone)]
struct AgencyState {
    agency: Arc<Agency>,
    common: Common,
    token: String,
}

pub(super) fn issuer(
    (issuer, books): (Arc<Issuer>, Option<Arc<Cosigned>>),
    common: Common,
    people: Router,
) -> Router {
    let state = IssuerState { issuer, books, common: common.clone() };
    let own = Router::new()
        .route("/federation/v1/trace", post(trace))
        .route("/federation/v1/pending", post(pending))
        .route("/federation/v1/statements", post(statements))
        .route("/statistics", get(statistics))
        .route("/books-log/{*path}", get(books_log_file))
        .with_state(state);
    finish(own.merge(people), common)
}

pub(super) fn agency(agency: Arc<Agency>, common: Common, token: String, people: Router) -> Router {
    let state = AgencyState { agency, common: common.clone(), token };
    let own = Router::new()
        .route("/agency/v1/traces", post(ask))
        .route("/agency/v1/court/{question}", get(court))
        .with_state(state);
    finish(own.merge(people), common)
}

pub(super) fn witness(witness: Arc<WitnessNode>, common: Common) -> Router {
    let own = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{log}/checkpoint", get(monitor))
        .with_state((witness, common.clone()));
    finish(own, common)
}

pub(super) fn directory(keeper: Arc<DirectoryKeeper>, common: Common) -> Router {
    let own = Router::new()
        .route("/directory", get(directory_file))
        .route("/directory/proof", get(directory_proof))
        .route("/directory/{version}", get(directory_version))
        .route("/directory/{version}/proof", get(directory_version_proof))
        .with_state((keeper, common.clone()));
    finish(own, common)
}

/// Adds what every node has, and the bounds that hold for every request.
fn finish(own: Router, common: Common) -> Router {
    let secure = common.node.tls.is_some();
    let shared = Router::new()
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .route("/card", get(card))
        .route("/openapi.json", get(openapi))
        .route("/log/{*path}", get(log_file))
        .with_state(common);
    own.merge(shared)
        .fallback(|| async { ProblemKind::NotFound.because("there is no such resource") })
        .method_not_allowed_fallback(|| async {
            ProblemKind::NotAllowed.because("this method is not for this resource")
        })
        .layer(middleware::from_fn_with_state(secure, between_nodes))
        .layer(CatchPanicLayer::custom(|_| {
            ProblemKind::Fault.because("a fault of this node").into_response()
        }))
        .layer(middleware::from_fn(to_the_end))
}

/// Answers within a time. What has begun goes on to its end all the same, also when whoever asked hangs up: what is entered
/// in the log is remembered too, and a failed sign-in counts.
async fn to_the_end(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let work = async {
        // The content is read while the connection stands; from then on the work needs it no more.
        let Ok(content) = to_bytes(body, LIMIT).await else {
            return ProblemKind::TooLarge.because("a request has at most 256 KiB").into_response();
        };
        let request = Request::from_parts(parts, Body::from(content));
        match tokio::spawn(next.run(request)).await {
            Ok(answer) => answer,
            Err(_) => ProblemKind::Fault.because("a fault of this node").into_response(),
        }
    };
    tokio::time::timeout(TIME, work).await.unwrap_or_else(|_| {
        let detail = format!("this took longer than {} seconds", TIME.as_secs());
        ProblemKind::TooSlow.because(detail).into_response()
    })
}

/// Where nodes speak TLS themselves, what is between nodes is for peers that showed a certificate.
async fn between_nodes(State(secure): State<bool>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let between = path.starts_with("/federation/") || path == "/add-checkpoint";
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    if secure && between && !peer.is_some_and(|ConnectInfo(peer)| peer.certified) {
        return ProblemKind::NoCertificate
            .because("this is for nodes of the federation, which show a certificate")
            .into_response();
    }
    next.run(request).await
}

async fn trace(State(state): State<IssuerState>, request: Request) -> Response {
    let (begun, issuer) = (Instant::now(), &state.issuer);
    let result = match read(&state.common.node, request).await {
        Ok(received) => {
            let sealed = issuer.trace(&received.message, &received.content).await;
            signed(&state, &received, &sealed)
        }
        Err(problem) => problem.into_response(),
    };
    state.common.metrics.request("trace", result.status().as_u16(), begun.elapsed());
    result
}

async fn pending(State(state): State<IssuerState>, request: Request) -> Response {
    match read(&state.common.node, request).await {
        Ok(received) => {
            let sealed = state.issuer.pending(&received.message, &received.content).await;
            signed(&state, &received, &sealed)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn statements(State(state): State<IssuerState>, request: Request) -> Response {
    match read(&state.common.node, request).await {
        Ok(received) => {
            let sealed = state.issuer.state(&received.message, &received.content).await;
            signed(&state, &received, &sealed)
        }
        Err(problem) => problem.into_response(),
    }
}

async fn statistics(State(state): State<IssuerState>) -> Response {
    json(state.issuer.statistics().to_string())
}

/// Asks on behalf of a local program that has the node's token.
async fn ask(State(state): State<AgencyState>, request: Request) -> Response {
    let begun = Instant::now();
    let result = asked(&state, request).await.unwrap_or_else(IntoResponse::into_response);
    state.common.metrics.request("ask", result.status().as_u16(), begun.elapsed());
    result
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Court {
    issuer: Option<NodeName>,
}

/// The court bundle of an answered question.
async fn court(
    State(state): State<AgencyState>,
    Named(question): Named,
    query: Result<Query<Court>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    holds_token(&state.token, &headers)?;
    let Query(Court { issuer }) = query.map_err(|error| ProblemKind::Malformed.because(error.body_text()))?;
    let question = question.parse().map_err(|error: uuid::Error| ProblemKind::Malformed.because(error))?;
    let bundle = state.agency.court_bundle(question, issuer.as_ref()).await;
    let bundle = bundle.map_err(|error| {
        let kind = match error.fault {
            CourtFault::Absent => ProblemKind::NotFound,
            CourtFault::NotYet => ProblemKind::NotYet,
            CourtFault::Here => ProblemKind::NoLog,
            CourtFault::Broken => ProblemKind::Upstream,
        };
        kind.because(error)
    })?;
    Ok(plain(bundle.to_string().into_bytes()))
}

fn holds_token(token: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    if given.is_some_and(|given| !token.is_empty() && same(given.as_bytes(), token.as_bytes())) {
        return Ok(());
    }
    Err(ProblemKind::Unsigned.because("this is for whoever holds the node's token"))
}

async fn asked(state: &AgencyState, request: Request) -> Result<Response, Problem> {
    holds_token(&state.token, request.headers())?;
    if !state.common.node.config.programs_ask {
        return Err(ProblemKind::Forbidden.because(
            "at this node people ask, at the desk\nhint: `programs_ask = true` in node.toml lets programs with its token ask",
        ));
    }
    let received = read(&state.common.node, request).await?;
    let question = crate::federation::check_question(&received.content)?;
    let answers = state.agency.ask(&question).await.map_err(|error| match error {
        AskError::Here(problem) => problem,
        other => ProblemKind::NotFound.because(other),
    })?;
    let lines: Vec<_> = answers.iter().map(crate::roles::answer_json).collect();
    Ok(json(serde_json::json!({"schema": "microstamp.traces/1", "answers": lines}).to_string()))
}

async fn add_checkpoint(
    State((witness, common)): State<(Arc<WitnessNode>, Common)>,
    request: Request,
) -> Response {
    let begun = Instant::now();
    let Ok(content) = to_bytes(request.into_body(), LIMIT).await else {
        return ProblemKind::TooLarge.because("a request of a witness has at most 256 KiB").into_response();
    };
    let answer = tokio::task::spawn_blocking(move || witness.add_checkpoint(&content)).await;
    let Ok(answer) = answer else {
        return ProblemKind::Fault.because("a fault of this node").into_response();
    };
    common.metrics.request("add-checkpoint", answer.status, begun.elapsed());
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type))], answer.body)
        .into_response()
}

async fn monitor(State((witness, _)): State<(Arc<WitnessNode>, Common)>, Named(log): Named) -> Response {
    match witness.monitored(&log) {
        Some(bytes) => plain(bytes),
        None => ProblemKind::NotFound.because("this witness has cosigned no such log").into_response(),
    }
}

/// The newest version, with its hash as entity tag: nodes ask every ten seconds, and fetch it when it changed (RFC 9110, section 13.1.2).
async fn directory_file(State((keeper, _)): Keeping, headers: HeaderMap) -> Response {
    let Some(directory) = keeper.shown() else {
        return ProblemKind::NoDirectory.because("no version was published yet").into_response();
    };
    let tag = entity_tag(directory.sha256());
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|one| one.trim() == tag);
    let mut answer =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { plain(directory.bytes().to_vec()) };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    answer
}

/// The proof that the directory's cosigned log holds the newest version.
async fn directory_proof(State((keeper, common)): State<(Arc<DirectoryKeeper>, Common)>) -> Response {
    let cosigned = match &common.cosigned {
        Some(cosigned) => cosigned.newest(),
        None => None,
    };
    match cosigned.and_then(|signed| keeper.proof(&signed)) {
        Some(bundle) => plain(bundle.to_string().into_bytes()),
        None => ProblemKind::NotFound
            .because("no quorum of witnesses has cosigned this version yet")
            .into_response(),
    }
}

type Keeping = State<(Arc<DirectoryKeeper>, Common)>;

fn no_version() -> Problem {
    ProblemKind::NotFound.because("no version of that number is kept here")
}

/// A version that stood once, or stands.
async fn directory_version(State((keeper, _)): Keeping, Named(version): Named) -> Result<Response, Problem> {
    let bytes = version.parse().ok().and_then(|version| keeper.version(version));
    bytes.map(plain).ok_or_else(no_version)
}

/// The proof that the log holds it.
async fn directory_version_proof(
    State((keeper, common)): Keeping,
    Named(version): Named,
) -> Result<Response, Problem> {
    let signed = common.cosigned.as_ref().and_then(|cosigned| cosigned.newest()).ok_or_else(no_version)?;
    let bundle = version.parse().ok().and_then(|version| keeper.proof_of(version, &signed));
    bundle.map(|bundle| plain(bundle.into_bytes())).ok_or_else(no_version)
}

async fn openapi(State(common): State<Common>) -> Response {
    json(crate::openapi::document_of(common.node.config.role).to_string())
}

/// Whether the node can do its work: 503, and what is in the way, when it cannot.
async fn healthz(State(common): State<Common>) -> Response {
    let impaired = common.measured().impaired();
    let well = impaired.is_empty();
    let (name, role) = (&common.node.config.name, common.node.config.role);
    let health = serde_json::json!({
        "status": if well { "ok" } else { "impaired" }, "name": name, "role": role, "impaired": impaired,
    });
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, json(health.to_string())).into_response()
}

/// What the node counts, for its operator: the counts are exact and tell of single answers.
async fn metrics(State(common): State<Common>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = common.node.token().map_err(|error| ProblemKind::Fault.because(error))?;
    holds_token(&token, &headers)?;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    Ok(([(header::CONTENT_TYPE, kind)], common.measured().text(common.clock.now())).into_response())
}

async fn card(State(common): State<Common>) -> Response {
    match serde_json::to_string(&common.node.card()) {
        Ok(text) => json(text),
        Err(error) => ProblemKind::Fault.because(error).into_response(),
    }
}

/// A file of the node's log, under the names of C2SP `tlog-tiles`; `cosigned` is the newest cosigned checkpoint, `ended/HASH`
/// the last one of an earlier log, and `ended/HASH.note` how that log ended.
async fn log_file(State(common): State<Common>, Named(path): Named) -> Response {
    if let Some(log) = path.strip_prefix("ended/") {
        return match ended(&common.node, log) {
            Some(bytes) => plain(bytes),
            None => ProblemKind::NotFound.because("no such log of this node ended").into_response(),
        };
    }
    file_of(common.node.folder.join("log"), common.cosigned.as_deref(), &path).await
}

/// What was cosigned last of a log that ended, by the hash in its key, or the note with which it ended.
fn ended(node: &Node, log: &str) -> Option<Vec<u8>> {
    let hash = log.strip_suffix(".note").unwrap_or(log);
    let plain = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| std::fs::read(node.folder.join("ended").join(log)).ok()).flatten()
}

/// The same of the log of the issuer's books.
async fn books_log_file(State(state): State<IssuerState>, Named(path): Named) -> Response {
    let folder = state.common.node.folder.with_file_name("log");
    file_of(folder, state.books.as_deref(), &path).await
}

async fn file_of(folder: PathBuf, cosigned: Option<&Cosigned>, path: &str) -> Response {
    if path == "cosigned" {
        let newest = match cosigned {
            Some(cosigned) => cosigned.newest(),
            None => None,
        };
        return match newest {
            Some(signed) => plain(signed.to_string().into_bytes()),
            None => ProblemKind::NotFound.because("no quorum of witnesses has cosigned yet").into_response(),
        };
    }
    let Ok(resource) = path.parse::<Resource>() else {
        return ProblemKind::NotFound.because("this is no file of a log").into_response();
    };
    let read = tokio::task::spawn_blocking(move || FolderStore::read_only(&folder).read(&resource)).await;
    match read {
        Ok(Ok(Some(bytes))) => plain(bytes),
        Ok(Ok(None)) => ProblemKind::NotFound.because("the log has no such file").into_response(),
        _ => ProblemKind::Fault.because("the log cannot be read").into_response(),
    }
}

/// A request as the signature sees it.
struct Received {
    message: Message,
    content: Bytes,
    /// Whether it came under seal.
    sealed: bool,
}

/// Reads a request as the signature sees it: the target is this node's public address and the path. One that was sealed is opened.
async fn read(node: &Node, request: Request) -> Result<Received, Problem> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut message = Message::request(parts.method.as_str(), &format!("{}{path}", node.config.url));
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            message = message.with(name.as_str(), value);
        }
    }
    let content = to_bytes(body, LIMIT).await;
    let content = content.map_err(|_| ProblemKind::TooLarge.because("a question has at most 256 KiB"))?;
    if message.field("content-type").as_deref() != Some(SEALED_REQUEST) {
        return Ok(Received { message, content, sealed: false });
    }
    let opened = disclose(&message.start, &content, &node.opening);
    let (message, content) = opened.map_err(|error| ProblemKind::Malformed.because(error))?;
    Ok(Received { message, content: content.into(), sealed: true })
}

/// The answer, signed and bound to the request; also a refusal is signed when there is a signature to bind it to. What came under seal
/// is refused in words that nobody on the way reads.
fn signed(state: &IssuerState, received: &Received, result: &Result<Sealed, Problem>) -> Response {
    let (common, request) = (&state.common, &received.message);
    let (status, kind, content) = match result {
        Ok(sealed) => (200, "application/json", serde_json::to_vec(sealed).unwrap_or_default()),
        Err(problem) => {
            common.metrics.outcome(problem.kind.name());
            let content = if received.sealed {
                let to = state.issuer.sealing_of(request);
                seal_refusal(problem, to.as_ref(), request)
            } else {
                problem.to_json()
            };
            (problem.kind.status(), "application/problem+json", content)
        }
    };
    let answer = Message::answer(status).with("content-type", kind);
    let key = (&*common.node.card().key_id(), &common.node.signing);
    let plain = answer.clone();
    let answer = sign_answer(answer, &content, request, key, common.clock.now()).unwrap_or(plain);
    let mut response = Response::new(Body::from(content));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.fields {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// The variable part of an address. One that is no UTF-8 names nothing.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        named
            .map(|Path(name)| Self(name))
            .map_err(|_| ProblemKind::NotFound.because("there is no such resource"))
    }
}

/// Compares without telling by its time where the first difference is.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

pub(super) fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
}

fn plain(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))], bytes).into_response()
}
