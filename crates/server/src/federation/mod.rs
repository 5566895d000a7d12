//! The protocol between nodes: directory, signatures, seals, and the rules of asking.

mod digest;
mod directory;
mod entries;
mod envelope;
mod exchange;
mod fields;
mod limits;
mod lookup;
mod nonce;
mod refusal;
mod request;
mod sealed;
mod signature;

pub use digest::content_digest;
pub use directory::{Directory, DirectoryContent, DirectoryError, Route, delegate};
pub(crate) use entries::same_address;
pub(crate) use envelope::{SEALED_REQUEST, disclose, enclose};
pub use exchange::{
    LABEL, SignedRequest, WINDOW, check_answer, content_key, sign_answer, sign_request, verify_request,
};
pub use fields::{Parameter, Value};
pub use limits::FishingRules;
pub(crate) use limits::{Asks, FishingWatch, Given, Told};
pub(crate) use nonce::{Nonce, ReplayCache};
pub(crate) use refusal::{refusal_words, seal_refusal};
pub use request::{Unauthorised, authorise, check_question};
pub(crate) use request::{key_in, to_books};
pub use sealed::{OpeningKey, SealError, Sealed, SealingPublicKey};
pub use signature::{Component, Message, SignatureError, SignatureInput, Start};
