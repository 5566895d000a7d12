//! The contents of requests and answers as JSON schemas.

use serde_json::{Value, json};

pub(super) fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

pub(super) fn schemas() -> Value {
    let mut all = serde_json::Map::new();
    for part in [of_people(), of_desk(), of_answers(), of_nodes()] {
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    all.into()
}

fn of_people() -> Value {
    let password = json!({"type": "string", "minLength": 12, "maxLength": 256});
    let time = json!({"type": "string", "format": "date-time"});
    let standing = json!({"enum": ["invited", "unconfirmed", "active", "locked", "closed"]});
    let proposed = json!({"type": ["object", "null"], "description": "roles that wait for somebody else's word, and who gave them"});
    let account = json!({
        "name": person(), "roles": roles(), "standing": standing, "used_at": time, "proposed": proposed,
    });
    let record = json!({
        "index": {"type": "integer", "minimum": 0}, "salt": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "record": {"type": "string", "description": "canonical JSON with `at`, `body` and `kind`"},
    });
    json!({
        "Problem": every(&json!({
            "type": {"type": "string", "pattern": "^urn:microstamp:problem:[a-z-]+$"}, "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599}, "detail": {"type": "string"}})),
        "Enrolment": every(&json!({"name": person(), "token": {"type": "string"}, "password": password})),
        "SignIn": every(&json!({"name": person(), "password": password})),
        "Credential": {"type": "object", "description": "PublicKeyCredential as the browser gives it, binary fields in base64url"},
        "Dialogue": object(&["session"], &json!({
            "session": {"type": "string"}, "register": {"type": "object"}, "sign": {"type": "object"}})),
        "Session": object(&["person", "roles", "until"], &json!({
            "person": person(), "roles": roles(), "until": time, "session": {"type": "string"}})),
        "Finished": object(&["person"], &json!({
            "person": person(), "roles": roles(), "until": time, "session": {"type": "string"},
            "unconfirmed": {"type": "string", "description": "what to tell whoever confirms the account"}})),
        "Confirmation": {"oneOf": [
            every(&json!({"passkey": {"type": "string", "minLength": 32, "maxLength": 64}})), every(&json!({"roles": roles()}))]},
        "Invitation": every(&json!({"name": person(), "roles": roles()})),
        "NewRoles": every(&json!({"roles": roles()})),
        "Token": every(&json!({"token": {"type": "string"}})),
        "Accounts": every(&json!({"accounts": list(&every(&account)), "next": {"type": ["string", "null"]}})),
        "Records": every(&json!({"records": list(&every(&record)), "next": {"type": ["integer", "null"]}})),
        "Approval": every(&json!({"draft_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}})),
        "Refusal": every(&json!({"reason": reason()})),
        "EntryDraft": object(&["firearm", "event", "on"], &json!({
            "firearm": every(&json!({
                "licence": {"type": "string"}, "model": {"type": "string", "minLength": 1, "maxLength": 64},
                "serial": {"type": "string", "minLength": 1, "maxLength": 32}})),
            "event": {"type": "object", "description": "as `microstamp book --json` prints events", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
            "on": {"type": "string", "format": "date"}, "description": {"type": ["object", "null"]}})),
        "Entered": every(&json!({"entry": {"type": "integer", "minimum": 1}})),
        "CodeStatus": every(&json!({
            "schema": {"const": "microstamp.code-status/1"}, "code": {"type": "string"},
            "status": {"enum": ["issued", "not-issued", "not-ours"]}, "issued_at": {"type": ["string", "null"]}})),
    })
}

fn of_desk() -> Value {
    let time = json!({"type": "string", "format": "date-time"});
    let uuid = json!({"type": "string", "format": "uuid"});
    let waiting = json!({"question": uuid, "waits_for": {"type": "string"}, "since": time, "due": time});
    let retail = every(&json!({"for": {"const": "retail-reference"}, "after": uuid}));
    let approved =
        every(&json!({"for": {"const": "retail-reference"}, "after": uuid, "second_approver": person()}));
    let draft_fields = ["kind", "ori", "case_number", "crime_code", "priority", "reason", "codes"];
    let fields = [&draft_fields[..], &["schema", "id", "requester", "approver"]].concat();
    json!({
        "QuestionDraft": question(&draft_fields, &json!({"kind": {"oneOf": [chain(), retail]}})),
        "Question": question(&fields, &json!({
            "schema": {"const": "microstamp.question/1"}, "id": uuid, "requester": person(), "approver": person(),
            "kind": {"oneOf": [chain(), approved]}})),
        "AttachedReading": object(&["codes", "reading_sha256"], &json!({
            "codes": codes(), "reading_sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"}, "parts": parts()})),
        "FiledQuestion": object(&["id", "draft", "draft_sha256", "requester", "filed_at", "state"], &json!({
            "draft_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "id": uuid, "draft": reference("QuestionDraft"), "requester": person(), "filed_at": time, "examiner": person(),
            "earlier_examiners": list(&person()),
            "state": {"enum": ["waiting", "approved", "answered", "refused", "withdrawn"]},
            "approver": person(), "reason": reason(), "not_asked": {"type": "string"}, "answers": list(&reference("Trace"))})),
        "FiledQuestions": every(&json!({
            "questions": list(&reference("FiledQuestion")), "next": {"type": ["string", "null"]}})),
        "Reminders": every(&json!({
            "schema": {"const": "microstamp.reminders/1"}, "waiting": list(&every(&waiting)), "more": {"type": "boolean"},
            "next": {"type": ["string", "null"], "format": "uuid"}})),
        "PendingQuery": every(&json!({"schema": {"const": "microstamp.pending-query/1"}})),
        "DealerStatement": every(&json!({
            "schema": {"const": "microstamp.dealer-statement/1"}, "question": uuid, "by": person(),
            "disposition": {"oneOf": dispositions()}})),
    })
}

/// What a dealer's book can say of a firearm.
fn dispositions() -> Value {
    let day = || json!({"type": "string", "format": "date"});
    let text = || json!({"type": "string", "minLength": 1});
    let kind = |kind: &str, fields: &[&str], more: &[&str]| {
        let mut properties = json!({"kind": {"const": kind}});
        for field in fields.iter().chain(more) {
            properties[*field] = if *field == "on" { day() } else { text() };
        }
        if kind == "lost" {
            properties["how"] = json!({"enum": ["theft", "loss", "in-transit"]});
        }
        let required: Vec<&str> = ["kind"].iter().chain(fields).copied().collect();
        json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
    };
    json!([
        kind("retail-sale", &["on", "form_4473"], &[]),
        kind("transferred", &["on", "to", "licence"], &[]),
        kind("lost", &["on", "how", "incident"], &["police_report"]),
        kind("destroyed", &["on", "reason"], &[]),
        kind("government", &["on", "agency"], &[]),
        kind("exported", &["on", "country", "permit"], &[]),
        kind("in-stock", &["on"], &[]),
        kind("no-record", &[], &[]),
    ])
}

fn of_answers() -> Value {
    let outcome = json!({"enum": crate::api::OutcomeName::ALL.map(crate::api::OutcomeName::as_str)});
    let place = every(&json!({"question": {"type": "integer"}, "answer": {"type": "integer"}}));
    let issuers_place = every(
        &json!({"log": {"type": "string"}, "question": {"type": "integer"}, "answer": {"type": "integer"}}),
    );
    json!({
        "Answer": {"type": "object", "description": "docs/federation.md, section 4.4",
            "required": ["schema", "question", "question_sha256", "case_number", "issuer", "answered_at", "outcome", "statement"],
            "properties": {
                "schema": {"const": "microstamp.answer/1"}, "question": {"type": "string", "format": "uuid"},
                "question_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "case_number": {"type": "string"},
                "issuer": {"type": "string"}, "answered_at": {"type": "string", "format": "date-time"},
                "outcome": outcome, "statement": list(&json!({"type": "string"})), "firearm": {"type": "object"}}},
        "Trace": {"oneOf": [
            every(&json!({"answer": reference("Answer"), "issuer_log": issuers_place, "agency_log": place})),
            {"type": "object", "required": ["error"], "additionalProperties": false,
                "properties": {"error": {"type": "string"}, "issuer": {"type": ["string", "null"]}}}]},
        "Traces": every(&json!({
            "schema": {"const": "microstamp.traces/1"}, "answers": list(&reference("Trace"))})),
        "Sealed": every(&json!({
            "schema": {"const": "microstamp.sealed/1"}, "to": {"type": "string"}, "enc": {"type": "string"},
            "ciphertext": {"type": "string"}})),
    })
}

fn of_nodes() -> Value {
    let cell = json!({
        "outcome": {"type": "string"}, "priority": {"enum": ["routine", "urgent"]},
        "answers": {"type": ["integer", "string"]}, "mean_cost_us": {"type": ["integer", "null"]}});
    let month = json!({
        "month": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}, "total": {"type": ["integer", "null"]},
        "cells": list(&every(&cell))});
    let card = json!({
        "name": {"type": "string"}, "url": {"type": "string"}, "signing": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "statements": {"type": "string"}, "log": {"type": "string"}, "log_ended": {"type": "string"}, "sealing": {"type": "string"}, "tls": {"type": "string"}});
    json!({
        "Statistics": every(&json!({
            "schema": {"const": "microstamp.statistics/1"}, "suppressed_below": {"type": "integer"},
            "rounded_to": {"type": "integer"},
            "note": {"type": "string"}, "months": list(&every(&month))})),
        "Health": every(&json!({
            "status": {"enum": ["ok", "impaired"]}, "impaired": list(&json!({"enum": ["books", "directory", "log", "records"]})), "name": {"type": "string"}, "role": {"enum": ["issuer", "agency", "witness", "directory"]}})),
        "Card": object(&["name", "url", "signing", "statements", "log"], &card),
        "Anything": {"type": "object"},
    })
}

fn person() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 64, "examples": ["sgt. other"]})
}

fn reason() -> Value {
    json!({"type": "string", "minLength": 8, "maxLength": 500, "examples": ["case recovered at a scene"]})
}

fn roles() -> Value {
    let all: Vec<&str> = crate::access::Role::ALL.into_iter().map(crate::access::Role::as_str).collect();
    json!({"type": "array", "minItems": 1, "items": {"enum": all}})
}

fn codes() -> Value {
    let one = every(&json!({
        "code": {"type": "string", "minLength": 8, "description": "eight characters", "examples": ["K73M XPKA"]},
        "posterior": {"type": "number", "minimum": 0, "maximum": 1, "examples": [0.97]}}));
    json!({"type": "array", "minItems": 1, "maxItems": 20, "items": one})
}

fn parts() -> Value {
    json!({"type": "array", "uniqueItems": true, "items": {"enum": ["firing-pin", "breech-face", "round"]}})
}

fn chain() -> Value {
    every(&json!({"for": {"const": "chain"}}))
}

/// The fields that a draft and a question share, and some more.
fn question(required: &[&str], more: &Value) -> Value {
    let urgent = json!({"urgent": every(&json!({"justification": reason()}))});
    let mut fields = json!({
        "ori": {"type": "string", "pattern": "^[A-Za-z]{2}[A-Za-z0-9]{7}$", "examples": ["CA0194200"]},
        "case_number": {"type": "string", "minLength": 1, "maxLength": 40, "examples": ["26-0001"]},
        "crime_code": {"type": "string", "pattern": "^[0-9]{4}$", "examples": ["0999"]},
        "priority": {"oneOf": [{"const": "routine"}, every(&urgent)]},
        "reason": reason(),
        "codes": codes(),
        "reading_sha256": {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{64}$"},
        "typed_by": person(),
        "recovered_on": {"type": ["string", "null"], "format": "date"},
        "parts": parts(),
    });
    for (name, schema) in more.as_object().into_iter().flatten() {
        fields[name] = schema.clone();
    }
    let mut schema = object(required, &fields);
    // Whose the codes are: of a reading's file, or of somebody who typed them.
    schema["oneOf"] = json!([
        {"required": ["reading_sha256"], "properties": {"reading_sha256": {"type": "string"}},
         "not": {"required": ["typed_by"]}},
        {"required": ["typed_by"], "properties": {"reading_sha256": {"type": "null"}}},
    ]);
    schema
}

fn list(of: &Value) -> Value {
    json!({"type": "array", "items": of})
}

/// An object that has each of these members and no other.
fn every(fields: &Value) -> Value {
    let required: Vec<&str> =
        fields.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    object(&required, fields)
}

fn object(required: &[&str], fields: &Value) -> Value {
    json!({"type": "object", "required": required, "properties": fields, "additionalProperties": false})
}
