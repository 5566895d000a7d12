//! What an issuer's node takes from dealers, and from nobody else.

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use uuid::Uuid;

use super::issuer::Tester;
use super::{Clause, Seen};
use crate::api::{DealerDisposition, DealerStatement};
use crate::federation::{Message, sign_request};
use crate::problem::ProblemKind;
use crate::roles::Dealer;

/// Whose list is asked for.
const LIST: &[u8] = br#"{"schema":"microstamp.pending-query/1"}"#;

impl Tester<'_> {
    /// Lists and statements, by nobody, by an agency, and by a dealer that is not asked.
    pub(super) async fn dealers(&self, dealer: Option<&Dealer>, clauses: &mut Vec<Clause>) {
        let mut note = |text, result: Seen| clauses.push(Clause { section: "8", text, result });
        let statement = serde_json::to_vec(&statement()).unwrap_or_default();
        let agency = (&*self.agency.node.card().key_id(), &self.agency.node.signing);
        for (path, content, nobody, other) in [
            (
                "pending",
                LIST,
                "without a signature nobody gets a dealer's list",
                "an agency gets no dealer's list",
            ),
            (
                "statements",
                &statement,
                "without a signature nobody states a dealer's part",
                "an agency states no dealer's part",
            ),
        ] {
            let plain =
                Message::request("POST", &self.address(path)).with("content-type", "application/json");
            note(nobody, self.is_refused(&plain, content.to_vec(), ProblemKind::Unsigned).await);
            note(other, self.is_forbidden(path, content, agency).await);
        }
        let Some(dealer) = dealer else { return };
        let list = dealer.open_questions(&self.issuer.node).await;
        let list = list.and_then(|list| {
            let known = list["schema"] == "microstamp.pending/1" && list["open"].is_array();
            known.then_some(()).ok_or_else(|| format!("no list: {list}"))
        });
        note("a dealer gets its list, signed, sealed to it and bound to its request", list);
        let key = (&*dealer.node.card().key_id(), &dealer.node.signing);
        let early = self.is_forbidden("statements", &statement, key).await;
        note("a dealer states nothing to a question that does not wait for it", early);
        let asked = serde_json::to_vec(&self.question()).unwrap_or_default();
        note("a dealer asks for no trace", self.is_forbidden("trace", &asked, key).await);
    }

    async fn is_forbidden(&self, path: &str, content: &[u8], key: (&str, &SigningKey)) -> Seen {
        let message = sign_request(&self.address(path), content, key, Timestamp::now());
        let message = message.map_err(|error| error.to_string())?;
        self.is_refused(&message, content.to_vec(), ProblemKind::Forbidden).await
    }
}

/// That a firearm is in stock, to a question that nobody asked.
fn statement() -> DealerStatement {
    let on = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question: Uuid::now_v7(),
        by: "conformance".parse().expect("a plain word"),
        disposition: DealerDisposition::InStock { on },
    }
}
