//! Books of any size for load tests, in minutes. Built only with the feature `synthetic`.

use jiff::Timestamp;
use serde_json::json;

use crate::books::Books;
use crate::error::BooksError;
use crate::names::Person;
use crate::store::{Invented, Session};

/// Dealers that take turns.
const DEALERS: i64 = 200;

impl Books {
    /// Lets each of the firearms whose making was entered under the numbers `first` to `first + count - 1` go from this
    /// issuer over a wholesaler to one of 200 dealers and be sold at retail: five more entries for each, invented. One
    /// record, one log entry, one transaction.
    ///
    /// # Errors
    /// [`BooksError::Database`], [`BooksError::Log`].
    pub async fn invent(
        &self,
        first: u64,
        count: u64,
        by: &Person,
        now: Timestamp,
    ) -> Result<u64, BooksError> {
        let mut ledger = self.ledger.lock().await;
        let body = json!({"first": first, "count": count, "by": by});
        let entered = self.enter(&mut ledger, "invented", &body, now).await?;
        let mut session = self.effect(&entered).await?;
        let (maker, wholesaler, dealer) = self.parties(&mut session).await?;
        let entries = (first as i64, (first + count) as i64);
        let steps = [
            ("disposed", (maker, 1), Some((wholesaler, 1)), 20, None),
            ("acquired", (wholesaler, 1), Some((maker, 1)), 22, None),
            ("disposed", (wholesaler, 1), Some((dealer, DEALERS)), 50, None),
            ("acquired", (dealer, DEALERS), Some((wholesaler, 1)), 52, None),
            ("disposed", (dealer, DEALERS), None, 90, Some("{\"form_4473\":\"T-")),
        ];
        for (kind, holders, others, days, body) in steps {
            let next = session.take_numbers("entry", count as i64).await?;
            let ahead = next - first as i64;
            session.invent(&Invented { entries, ahead, kind, holders, others, days, body }).await?;
        }
        session.commit().await?;
        Ok(5 * count)
    }

    /// The parties' numbers; the dealers' follow one another.
    async fn parties(&self, session: &mut Session) -> Result<(i64, i64, i64), BooksError> {
        let issuer = self.issuer();
        let maker = session.party(issuer.licence.as_str(), issuer.name.as_str()).await?;
        let wholesaler = session.party("1-23-456-01-9A-22222", "Wholesale One (synthetic)").await?;
        let mut first = None;
        for dealer in 0..DEALERS {
            let (licence, name) =
                (format!("1-23-456-01-9A-{:05}", 40_000 + dealer), format!("Dealer {dealer}"));
            let number = session.party(&licence, &format!("{name} (synthetic)")).await?;
            if number != *first.get_or_insert(number) + dealer {
                return Err(BooksError::damaged("the dealers' numbers do not follow one another"));
            }
        }
        Ok((maker, wholesaler, first.unwrap_or_default()))
    }
}
