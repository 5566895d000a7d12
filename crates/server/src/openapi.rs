//! The HTTP API as an `OpenAPI` 3.1 document: what `/openapi.json` serves and `docs/openapi.json` keeps.
//!
//! Written by hand beside the routes, because requests are read as bytes (signatures cover bytes); a test asks a running
//! node for every path and method in it, and another sends it whatever the schemas allow and much that they do not.

use serde_json::{Value, json};

/// The document.
pub fn document() -> Value {
    let mut paths = serde_json::Map::new();
    for one in people().into_iter().chain(desk()).chain(books()).chain(nodes()) {
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

/// One operation.
struct Operation {
    path: &'static str,
    method: &'static str,
    summary: &'static str,
    security: Option<&'static str>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: &'static [u16],
}

impl Operation {
    fn into_parts(self) -> (String, &'static str, Value) {
        let mut answers = serde_json::Map::new();
        for status in self.answers {
            let text = if *status < 400 { "done" } else { "refused" };
            let mut answer = json!({"description": text});
            if *status >= 400 {
                answer["content"] = json!({"application/problem+json": {"schema": reference("Problem")}});
            }
            answers.insert(status.to_string(), answer);
        }
        let mut operation = json!({"summary": self.summary, "responses": answers});
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
        if let Some(body) = self.body {
            operation["requestBody"] =
                json!({"required": true, "content": {"application/json": {"schema": body}}});
        }
        (self.path.to_owned(), self.method, operation)
    }
}

fn open(path: &'static str, method: &'static str, summary: &'static str) -> Operation {
    Operation { path, method, summary, security: None, parameters: Vec::new(), body: None, answers: &[200] }
}

fn signed_in(path: &'static str, method: &'static str, summary: &'static str) -> Operation {
    let answers = &[200, 401, 403, 404, 409, 503];
    Operation { security: Some("session"), answers, ..open(path, method, summary) }
}

impl Operation {
    fn takes(self, schema: &str) -> Self {
        Self { body: Some(reference(schema)), ..self }
    }

    fn answers(self, answers: &'static [u16]) -> Self {
        Self { answers, ..self }
    }

    fn paged(mut self, after: &Value) -> Self {
        self.parameters.push(json!({"name": "after", "in": "query", "description": "the last one of the page before", "schema": after}));
        let limit = json!({"type": "integer", "minimum": 1, "maximum": 100});
        self.parameters.push(json!({"name": "limit", "in": "query", "schema": limit}));
        self.answers(&[200, 400, 401, 403, 404])
    }
}

fn people() -> Vec<Operation> {
    vec![
        open(
            "/access/v1/enrolment",
            "post",
            "Set the password of an invited account; answers with the passkey dialogue",
        )
        .takes("Enrolment")
        .answers(&[200, 400, 401, 409, 413]),
        open("/access/v1/sign-in", "post", "Give the password; answers with the passkey dialogue")
            .takes("SignIn")
            .answers(&[200, 400, 401, 409, 413, 503]),
        signed_in(
            "/access/v1/passkey",
            "post",
            "Give the browser's answer to the passkey dialogue; answers with the session",
        )
        .takes("Credential")
        .answers(&[200, 400, 401, 413, 503]),
        signed_in("/access/v1/session", "get", "Who is signed in").answers(&[200, 401]),
        signed_in("/access/v1/session", "delete", "Sign out").answers(&[204, 401]),
        signed_in("/access/v1/accounts", "get", "Accounts, by name").paged(&json!({"type": "string"})),
        signed_in("/access/v1/accounts", "post", "Invite somebody; answers with the one-time token")
            .takes("Invitation")
            .answers(&[201, 400, 401, 403, 409, 413, 503]),
        signed_in("/access/v1/accounts/{name}", "delete", "Close an account")
            .answers(&[204, 401, 403, 404, 503]),
        signed_in("/access/v1/accounts/{name}/roles", "put", "Give an account other roles")
            .takes("NewRoles")
            .answers(&[204, 400, 401, 403, 404, 413, 503]),
        signed_in(
            "/access/v1/accounts/{name}/invitation",
            "post",
            "Free an account: password and passkey are set anew",
        ),
        signed_in("/access/v1/records", "get", "The records behind the log, with their salts")
            .paged(&json!({"type": "integer", "minimum": 0})),
    ]
}

fn desk() -> Vec<Operation> {
    let mut file = signed_in("/agency/v1/questions", "post", "File a question; it waits for an approver")
        .takes("QuestionDraft")
        .answers(&[201, 400, 401, 403, 404, 409, 413, 503]);
    file.parameters.push(idempotency_key("the same key with the same content files one question"));
    vec![
        file,
        signed_in(
            "/agency/v1/questions",
            "get",
            "Questions in the order of filing; a requester sees its own",
        )
        .paged(&json!({"type": "string", "format": "uuid"})),
        signed_in("/agency/v1/questions/{id}", "get", "One question and its answer"),
        signed_in(
            "/agency/v1/questions/{id}/approval",
            "post",
            "Approve a question of somebody else, and ask it",
        ),
        signed_in("/agency/v1/questions/{id}/refusal", "post", "Refuse a question")
            .takes("Refusal")
            .answers(&[200, 400, 401, 403, 404, 409, 413, 503]),
        signed_in("/agency/v1/questions/{id}/withdrawal", "post", "Take one's own question back"),
        signed_in("/agency/v1/questions/{id}/reading", "put", "Attach a reading to a question that waits")
            .takes("AttachedReading")
            .answers(&[200, 400, 401, 403, 404, 409, 413, 503]),
        signed_in(
            "/agency/v1/questions/{id}/renewal",
            "post",
            "Ask again what a dealer was to answer to one's own question",
        )
        .answers(&[200, 401, 403, 404, 409, 502, 503]),
        Operation {
            security: Some("token"),
            answers: &[200, 400, 401, 404, 413, 503],
            ..open("/agency/v1/traces", "post", "Ask for a local program that holds the node's token")
                .takes("Question")
        },
    ]
}

fn books() -> Vec<Operation> {
    let mut record = signed_in("/registry/v1/entries", "post", "Record an entry in the issuer's books")
        .takes("EntryDraft")
        .answers(&[201, 400, 401, 403, 404, 409, 413, 429, 503]);
    record.parameters.push(idempotency_key("the same key with the same content records one entry"));
    vec![
        signed_in("/registry/v1/codes/{code}", "get", "Whether and when a code of the issuer was issued")
            .answers(&[200, 400, 401, 403, 404, 503]),
        record,
    ]
}

fn idempotency_key(description: &str) -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "description": description,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9_-]+$"},
    })
}

fn nodes() -> Vec<Operation> {
    let signed = |path, summary, schema: &str| Operation {
        security: Some("signature"),
        answers: &[200, 400, 401, 403, 404, 409, 413, 429, 503],
        ..open(path, "post", summary).takes(schema)
    };
    vec![
        signed("/federation/v1/trace", "An agency asks; the answer is sealed to it", "Question"),
        signed(
            "/federation/v1/pending",
            "What became of a question that a person must answer",
            "PendingQuery",
        ),
        signed("/federation/v1/statements", "A dealer states its own part of a chain", "DealerStatement"),
        open("/statistics", "get", "Counts by month, outcome and priority; small cells are left out")
            .answers(&[200, 404]),
        open("/healthz", "get", "Whether the node runs"),
        open("/metrics", "get", "Counters as Prometheus text"),
        open("/card", "get", "The node's name, address and keys"),
        open(
            "/log/{path}",
            "get",
            "A file of the node's log, C2SP tlog-tiles; `cosigned` is the newest cosigned checkpoint",
        )
        .answers(&[200, 404]),
        open("/directory", "get", "The newest directory (of a directory node)").answers(&[200, 404, 503]),
        open("/openapi.json", "get", "This document"),
    ]
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn schemas() -> Value {
    let person = json!({"type": "string", "minLength": 1, "maxLength": 64});
    let roles = json!({"type": "array", "minItems": 1, "uniqueItems": true, "items": {
        "enum": ["registrar", "requester", "approver", "examiner", "auditor", "operator"]}});
    let password = json!({"type": "string", "minLength": 12, "maxLength": 256});
    let reason = json!({"type": "string", "minLength": 1, "maxLength": 400});
    json!({
        "Problem": object(&["type", "title", "status", "detail"], &json!({
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}})),
        "Enrolment": object(&["name", "token", "password"], &json!({"name": person, "token": {"type": "string"}, "password": password})),
        "SignIn": object(&["name", "password"], &json!({"name": person, "password": password})),
        "Credential": {"type": "object", "description": "PublicKeyCredential as the browser gives it, binary fields in base64url"},
        "Invitation": object(&["name", "roles"], &json!({"name": person, "roles": roles})),
        "NewRoles": object(&["roles"], &json!({"roles": roles})),
        "Refusal": object(&["reason"], &json!({"reason": reason})),
        "AttachedReading": object(&["codes", "reading_sha256"], &json!({
            "codes": codes(), "reading_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}})),
        "EntryDraft": object(&["firearm", "event", "on"], &json!({
            "firearm": object(&["licence", "model", "serial"], &json!({
                "licence": {"type": "string"}, "model": {"type": "string", "minLength": 1, "maxLength": 60},
                "serial": {"type": "string", "minLength": 1, "maxLength": 30}})),
            "event": {"type": "object", "description": "as `microstamp book --json` prints events", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
            "on": {"type": "string", "format": "date"}, "description": {"type": ["object", "null"]}})),
        "QuestionDraft": question(&["kind", "ori", "case_number", "crime_code", "priority", "reason", "codes"], &json!({
            "kind": {"oneOf": [chain(), object(&["for", "after"], &json!({
                "for": {"const": "retail-reference"}, "after": {"type": "string", "format": "uuid"}}))]}})),
        "Question": question(
            &["schema", "id", "kind", "ori", "case_number", "crime_code", "priority", "reason", "requester", "approver", "codes"],
            &json!({
                "schema": {"const": "microstamp.question/1"}, "id": {"type": "string", "format": "uuid"},
                "requester": person, "approver": person,
                "kind": {"oneOf": [chain(), object(&["for", "after", "second_approver"], &json!({
                    "for": {"const": "retail-reference"}, "after": {"type": "string", "format": "uuid"}, "second_approver": person}))]}})),
        "PendingQuery": object(&["schema"], &json!({
            "schema": {"const": "microstamp.pending-query/1"}, "question": {"type": ["string", "null"], "format": "uuid"}})),
        "DealerStatement": object(&["schema", "question", "by", "disposition"], &json!({
            "schema": {"const": "microstamp.dealer-statement/1"}, "question": {"type": "string", "format": "uuid"},
            "by": person, "disposition": {"type": "object"}})),
    })
}

fn codes() -> Value {
    let one = object(
        &["code", "posterior"],
        &json!({
        "code": {"type": "string", "pattern": "^[0-9AC-HJ-NPR-Z]{4} [0-9AC-HJ-NPR-Z]{4}$"},
        "posterior": {"type": "number", "minimum": 0, "maximum": 1}}),
    );
    json!({"type": "array", "minItems": 1, "maxItems": 20, "items": one})
}

fn chain() -> Value {
    object(&["for"], &json!({"for": {"const": "chain"}}))
}

/// The fields that a draft and a question share, and some more.
fn question(required: &[&str], more: &Value) -> Value {
    let urgent = json!({"urgent": object(&["justification"], &json!({"justification": {"type": "string", "minLength": 1, "maxLength": 400}}))});
    let mut fields = json!({
        "ori": {"type": "string", "pattern": "^[A-Z]{2}[A-Z0-9]{7}$"},
        "case_number": {"type": "string", "minLength": 1, "maxLength": 40},
        "crime_code": {"type": "string", "pattern": "^[0-9]{4}$"},
        "priority": {"oneOf": [{"const": "routine"}, object(&["urgent"], &urgent)]},
        "reason": {"type": "string", "minLength": 1, "maxLength": 400},
        "codes": codes(),
        "reading_sha256": {"type": ["string", "null"], "pattern": "^[0-9a-f]{64}$"},
        "recovered_on": {"type": ["string", "null"], "format": "date"},
    });
    for (name, schema) in more.as_object().into_iter().flatten() {
        fields[name] = schema.clone();
    }
    object(required, &fields)
}

fn object(required: &[&str], fields: &Value) -> Value {
    json!({"type": "object", "required": required, "properties": fields, "additionalProperties": false})
}
