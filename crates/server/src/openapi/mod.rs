//! The HTTP API as an `OpenAPI` 3.1 document: each node serves its own part as `/openapi.json`, and `docs/openapi.json`
//! keeps the whole.
//!
//! Written by hand beside the routes, because requests are read as bytes (signatures cover bytes). A test asks running
//! nodes for every path and method in it, and `tests/schemathesis.sh` sends them thousands of requests made from it.

mod schemas;

use serde_json::{Value, json};

use self::schemas::{reference, schemas};
use crate::config::NodeRole;

/// The whole document.
pub fn document() -> Value {
    made(operations())
}

/// What a node of a role serves.
pub fn document_of(role: NodeRole) -> Value {
    let mut operations = operations();
    operations.retain(|one| one.roles.contains(&role));
    made(operations)
}

fn operations() -> Vec<Operation> {
    people().into_iter().chain(desk()).chain(books()).chain(nodes()).chain(everywhere()).collect()
}

fn made(operations: Vec<Operation>) -> Value {
    let mut paths = serde_json::Map::new();
    for one in operations {
        let (path, method, operation) = one.into_parts();
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "microstamp node", "version": env!("CARGO_PKG_VERSION"),
            "description": "Traces of marked cartridge cases between an agency and issuers. Paths under /federation/v1 \
                take RFC 9421 signatures of nodes in the directory; paths under /access/v1 and /agency/v1 take the session \
                of a person who signed in with password and passkey.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "description": "secret of a session, from /access/v1/passkey"},
                "token": {"type": "http", "scheme": "bearer", "description": "the node's own api.token, for programs on its machine"},
                "signature": {"type": "apiKey", "in": "header", "name": "Signature", "description": "RFC 9421, see docs/federation.md"},
            },
        },
    })
}

const PEOPLE: &[NodeRole] = &[NodeRole::Agency, NodeRole::Issuer];
const AGENCY: &[NodeRole] = &[NodeRole::Agency];
const ISSUER: &[NodeRole] = &[NodeRole::Issuer];
const WITNESS: &[NodeRole] = &[NodeRole::Witness];
const DIRECTORY: &[NodeRole] = &[NodeRole::Directory];
const ALL: &[NodeRole] = &[NodeRole::Agency, NodeRole::Issuer, NodeRole::Witness, NodeRole::Directory];

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";
const BYTES: &str = "application/octet-stream";

/// One operation.
struct Operation {
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    roles: &'static [NodeRole],
    security: Option<&'static str>,
    parameters: Vec<Value>,
    /// Media type and schema of the request's content.
    body: Option<(&'static str, Value)>,
    /// Media type and schema of what is given; nothing with status 204.
    gives: Option<(&'static str, Value)>,
    /// The one that means done comes first.
    answers: &'static [u16],
}

/// For everybody who can reach the node.
fn open(path: &'static str, method: &'static str, summary: &'static str) -> Operation {
    Operation {
        path,
        method,
        summary,
        roles: ALL,
        security: None,
        parameters: Vec::new(),
        body: None,
        gives: None,
        answers: &[200],
    }
}

/// For those who are signed in.
fn signed_in(path: &'static str, method: &'static str, summary: &'static str) -> Operation {
    Operation { security: Some("session"), roles: PEOPLE, ..open(path, method, summary) }
}

impl Operation {
    fn at(self, roles: &'static [NodeRole]) -> Self {
        Self { roles, ..self }
    }

    fn takes(self, schema: &str) -> Self {
        Self { body: Some((JSON, reference(schema))), ..self }
    }

    fn gives(self, schema: &str) -> Self {
        Self { gives: Some((JSON, reference(schema))), ..self }
    }

    fn gives_bytes(self, media: &'static str) -> Self {
        Self { gives: Some((media, json!({"type": "string"}))), ..self }
    }

    fn answers(self, answers: &'static [u16]) -> Self {
        Self { answers, ..self }
    }

    fn with(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    fn paged(self, after: &Value) -> Self {
        let after = json!({"name": "after", "in": "query", "description": "the last one of the page before", "schema": after});
        let limit = json!({"type": "integer", "minimum": 1, "maximum": 100});
        self.with(after)
            .with(json!({"name": "limit", "in": "query", "schema": limit}))
            .answers(&[200, 400, 401, 403, 503])
    }

    fn into_parts(self) -> (String, &'static str, Value) {
        let mut operation = json!({"summary": self.summary, "responses": self.responses()});
        let mut parameters = self.parameters;
        for name in self.path.split('{').skip(1).filter_map(|part| part.split('}').next()) {
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}));
        }
        if !parameters.is_empty() {
            operation["parameters"] = Value::from(parameters);
        }
        if let Some(scheme) = self.security {
            operation["security"] = json!([{scheme: []}]);
        }
        if let Some((media, schema)) = self.body {
            operation["requestBody"] = json!({"required": true, "content": {media: {"schema": schema}}});
        }
        (self.path.to_owned(), self.method, operation)
    }

    fn responses(&self) -> Value {
        let mut answers = serde_json::Map::new();
        for status in self.answers {
            let mut answer = json!({"description": if *status < 400 { "done" } else { "refused" }});
            if *status >= 400 {
                answer["content"] = json!({PROBLEM: {"schema": reference("Problem")}});
                // A witness's words are those of C2SP tlog-witness; only this program's own limits are problems.
                if self.path == "/add-checkpoint" {
                    answer["content"]["text/plain"] = json!({"schema": {"type": "string"}});
                    answer["content"]["text/x.tlog.size"] = json!({"schema": {"type": "string"}});
                }
            } else if *status == 304 {
                answer["description"] = json!("it is the one whose entity tag was given in `If-None-Match`");
            } else if let Some((media, schema)) = &self.gives {
                answer["content"] = json!({*media: {"schema": schema}});
            }
            answers.insert(status.to_string(), answer);
        }
        answers.into()
    }
}

fn people() -> Vec<Operation> {
    vec![
        open(
            "/access/v1/enrolment",
            "post",
            "Set the password of an invited account; answers with the passkey dialogue",
        )
        .at(PEOPLE)
        .takes("Enrolment")
        .gives("Dialogue")
        .answers(&[200, 400, 401, 409, 413, 429, 503]),
        open("/access/v1/sign-in", "post", "Give the password; answers with the passkey dialogue")
            .at(PEOPLE)
            .takes("SignIn")
            .gives("Dialogue")
            .answers(&[200, 400, 401, 409, 413, 429, 503]),
        signed_in(
            "/access/v1/passkey",
            "post",
            "Give the browser's answer to the passkey dialogue; answers with the session",
        )
        .takes("Credential")
        .gives("Finished")
        .answers(&[200, 400, 401, 413, 503]),
        signed_in("/access/v1/session", "get", "Who is signed in").gives("Session").answers(&[200, 401]),
        signed_in("/access/v1/session", "delete", "Sign out").answers(&[204, 401, 503]),
        signed_in("/access/v1/accounts", "get", "Accounts, by name")
            .gives("Accounts")
            .paged(&json!({"type": "string", "minLength": 1, "maxLength": 64})),
        signed_in("/access/v1/accounts", "post", "Invite somebody; answers with the one-time token")
            .takes("Invitation")
            .gives("Token")
            .answers(&[201, 400, 401, 403, 409, 413, 503]),
        signed_in("/access/v1/accounts/{name}", "delete", "Close an account")
            .answers(&[204, 401, 403, 404, 503]),
        signed_in("/access/v1/accounts/{name}/roles", "put", "Give an account other roles; with 202 they wait until somebody else confirms them")
            .takes("NewRoles")
            .answers(&[204, 202, 400, 401, 403, 404, 413, 503]),
        signed_in(
            "/access/v1/accounts/{name}/invitation",
            "post",
            "Free an account: password and passkey are set anew",
        )
        .gives("Token")
        .answers(&[200, 401, 403, 404, 503]),
        signed_in(
            "/access/v1/accounts/{name}/confirmation",
            "post",
            "Confirm the passkey of an account that somebody else invited, or the roles that somebody else gave it",
        )
        .takes("Confirmation")
        .answers(&[204, 400, 401, 403, 404, 409, 413, 503]),
        signed_in("/access/v1/records", "get", "The records behind the log, with their salts")
            .gives("Records")
            .paged(&json!({"type": "integer", "minimum": 0})),
    ]
}

fn desk() -> Vec<Operation> {
    let one = |path, method, summary| signed_in(path, method, summary).at(AGENCY).gives("FiledQuestion");
    vec![
        one("/agency/v1/questions", "post", "File a question; it waits for an approver")
            .takes("QuestionDraft")
            .with(idempotency_key("the same key with the same content files one question"))
            .answers(&[201, 400, 401, 403, 409, 413, 503]),
        signed_in(
            "/agency/v1/questions",
            "get",
            "Questions in the order of filing; a requester sees its own",
        )
        .at(AGENCY)
        .gives("FiledQuestions")
        .paged(&json!({"type": "string", "format": "uuid"})),
        signed_in("/agency/v1/reminders", "get", "What waits for an approver or a dealer, and until when")
            .at(AGENCY)
            .gives("Reminders")
            .paged(&json!({"type": "string", "format": "uuid"})),
        one("/agency/v1/questions/{id}", "get", "One question and its answer")
            .answers(&[200, 401, 403, 404, 503]),
        one(
            "/agency/v1/questions/{id}/approval",
            "post",
            "Approve a question of somebody else as it was seen, and ask it",
        )
        .takes("Approval")
        .answers(&[200, 400, 401, 403, 404, 409, 413, 502, 503]),
        one("/agency/v1/questions/{id}/refusal", "post", "Refuse a question")
            .takes("Refusal")
            .answers(&[200, 400, 401, 403, 404, 409, 413, 503]),
        one("/agency/v1/questions/{id}/withdrawal", "post", "Take one's own question back")
            .answers(&[200, 401, 403, 404, 409, 503]),
        one("/agency/v1/questions/{id}/reading", "put", "Attach a reading to a question that waits")
            .takes("AttachedReading")
            .answers(&[200, 400, 401, 403, 404, 409, 413, 503]),
        one(
            "/agency/v1/questions/{id}/renewal",
            "post",
            "Ask again what a dealer was to answer to one's own question",
        )
        .answers(&[200, 401, 403, 404, 409, 502, 503]),
        for_programs(open(
            "/agency/v1/traces",
            "post",
            "Ask for a local program that holds the node's token",
        ))
        .takes("Question")
        .gives("Traces")
        .answers(&[200, 400, 401, 403, 404, 413, 503]),
        for_programs(open(
            "/agency/v1/court/{question}",
            "get",
            "The court bundle of an answered question, for a local program",
        ))
        .with(json!({"name": "issuer", "in": "query", "schema": {"type": "string", "minLength": 1, "maxLength": 80}}))
        .gives_bytes(BYTES)
        .answers(&[200, 400, 401, 404, 502, 503]),
    ]
}

fn for_programs(operation: Operation) -> Operation {
    Operation { security: Some("token"), roles: AGENCY, ..operation }
}

fn books() -> Vec<Operation> {
    let own = |path, method, summary| signed_in(path, method, summary).at(ISSUER);
    vec![
        own("/registry/v1/codes/{code}", "get", "Whether and when a code of the issuer was issued")
            .gives("CodeStatus")
            .answers(&[200, 400, 401, 403, 503]),
        own("/registry/v1/reminders", "get", "Which dealers the issuer's answers wait for, and until when")
            .gives("Reminders")
            .paged(&json!({"type": "string", "format": "uuid"})),
        own("/registry/v1/entries", "post", "Record an entry in the issuer's books")
            .takes("EntryDraft")
            .gives("Entered")
            .with(idempotency_key("the same key with the same content records one entry"))
            .answers(&[201, 400, 401, 403, 409, 413, 429, 503]),
    ]
}

fn idempotency_key(description: &str) -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "description": description,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    })
}

fn nodes() -> Vec<Operation> {
    let signed = |path, summary, schema: &str| Operation {
        security: Some("signature"),
        answers: &[200, 400, 401, 403, 404, 409, 413, 429, 503],
        ..open(path, "post", summary).at(ISSUER).takes(schema).gives("Sealed")
    };
    vec![
        signed("/federation/v1/trace", "An agency asks; the answer is sealed to it", "Question"),
        signed("/federation/v1/pending", "What a dealer has to answer", "PendingQuery"),
        signed("/federation/v1/statements", "A dealer states its own part of a chain", "DealerStatement"),
        open("/statistics", "get", "Counts by month, outcome and priority; small cells are left out")
            .at(ISSUER)
            .gives("Statistics"),
        open("/books-log/{path}", "get", "The same of the log of the issuer's books")
            .at(ISSUER)
            .gives_bytes(BYTES)
            .answers(&[200, 404]),
        Operation {
            body: Some(("text/plain", json!({"type": "string"}))),
            ..open("/add-checkpoint", "post", "Cosign a log that only grows, C2SP tlog-witness")
                .at(WITNESS)
                .gives_bytes("text/plain")
                .answers(&[200, 400, 401, 403, 404, 409, 413, 422, 500])
        },
        open(
            "/{log}/checkpoint",
            "get",
            "What this witness cosigned last of the log whose name has this SHA-256",
        )
        .at(WITNESS)
        .gives_bytes(BYTES)
        .answers(&[200, 404]),
        open("/directory", "get", "The newest directory")
            .at(DIRECTORY)
            .gives_bytes(BYTES)
            .answers(&[200, 304, 503]),
        open("/directory/proof", "get", "The proof that the directory's cosigned log holds that version")
            .at(DIRECTORY)
            .gives_bytes(BYTES)
            .answers(&[200, 404]),
        open("/directory/{version}", "get", "A version that stood once, by its number")
            .at(DIRECTORY)
            .gives_bytes(BYTES)
            .answers(&[200, 404]),
        open("/directory/{version}/proof", "get", "The proof that the directory's cosigned log holds it")
            .at(DIRECTORY)
            .gives_bytes(BYTES)
            .answers(&[200, 404]),
    ]
}

fn everywhere() -> Vec<Operation> {
    vec![
        open("/healthz", "get", "Whether the node can do its work, and what is in the way")
            .gives("Health")
            .answers(&[200, 503]),
        Operation {
            security: Some("token"),
            ..open("/metrics", "get", "Counters as Prometheus text, for the node's operator")
        }
        .gives_bytes("text/plain")
        .answers(&[200, 401]),
        open("/card", "get", "The node's name, address and keys").gives("Card"),
        open(
            "/log/{path}",
            "get",
            "A file of the node's log, C2SP tlog-tiles; `cosigned` is the newest cosigned checkpoint",
        )
        .gives_bytes(BYTES)
        .answers(&[200, 404]),
        open("/openapi.json", "get", "The part of this document that the node serves").gives("Anything"),
    ]
}
