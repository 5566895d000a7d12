//! What was refused to people is in the log as well: who asks who must not leaves a trace.

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::people::{People, bearer, source};
use super::routes::same;
use crate::access::{MACHINE, RefusedAct};

/// Failures to sign in are counted where they happen.
const SIGNING_IN: [&str; 3] = ["/access/v1/enrolment", "/access/v1/sign-in", "/access/v1/passkey"];
/// Of these a number that is not one's own is refused as if it did not exist.
const QUESTION: &str = "/agency/v1/questions/{id}";

/// Lets a request pass, and counts it where it was refused to whoever showed a secret.
pub(super) async fn noted(State(people): State<People>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let secret = bearer(request.headers()).map(str::to_owned);
    let (method, from) = (request.method().clone(), source(&request));
    let answer = next.run(request).await;
    if let (Some(path), Ok(secret)) = (path, secret)
        && is_refusal(answer.status(), &path)
    {
        let act = RefusedAct {
            by: None,
            asked: format!("{method} {path}"),
            status: answer.status().as_u16(),
            from,
        };
        let machine = same(secret.as_bytes(), people.machine.as_bytes()).then_some(MACHINE);
        people.access.was_refused((&secret, machine), act, (people.ledger(), people.clock.now())).await;
    }
    answer
}

fn is_refusal(status: StatusCode, path: &str) -> bool {
    match status {
        StatusCode::FORBIDDEN => true,
        StatusCode::UNAUTHORIZED => !SIGNING_IN.contains(&path),
        StatusCode::NOT_FOUND => path.starts_with(QUESTION),
        _ => false,
    }
}
