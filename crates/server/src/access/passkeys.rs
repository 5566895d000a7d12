//! Passkeys (`WebAuthn`, level 3): the second factor of every sign-in.

use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

/// The relying party of a node's public address. An address by number is no name that a passkey can be bound to;
/// `localhost` stands for it, which is what a browser on the same machine shows.
pub(super) fn relying_party(url: &str) -> Option<Webauthn> {
    let mut origin = Url::parse(url).ok()?;
    if origin.domain().is_none() {
        origin.set_host(Some("localhost")).ok()?;
    }
    let name = origin.domain()?.to_owned();
    WebauthnBuilder::new(&name, &origin).ok()?.rp_name("microstamp").build().ok()
}
