//! Cards: signed by the node, compared with what stands, taken all or none.

use std::path::Path;

use jiff::Timestamp;
use server::api::{AgencyCard, DealerCard, IssuerCard, WitnessCard};
use server::roles::{Card, EnrolError, EnrolRules, Enrolled, Enrolment, check_url, enrol};
use server::{Node, NodeConfig, NodeRole, validity};
use tempfile::TempDir;
use transparency::{KeyKind, SigningKey};

use crate::world::node;

/// A directory's folder, and others beside it.
struct House {
    root: TempDir,
    directory: Node,
}

impl House {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("directory");
        let directory = node(&path, NodeRole::Directory, "directory.example", "http://directory.example");
        Self { root, directory }
    }

    fn node(&self, folder: &str, role: NodeRole, name: &str) -> Node {
        let url = format!("http://{folder}.example");
        node(&self.root.path().join(folder), role, name, &url)
    }

    fn path(&self) -> &Path {
        self.directory.folder.parent().unwrap()
    }

    fn enrol(&self, cards: &[Card], rules: &EnrolRules) -> Result<Enrolled, EnrolError> {
        enrol(self.path(), cards, rules)
    }

    fn entries(&self) -> Option<String> {
        std::fs::read_to_string(self.directory.folder.join("entries.json")).ok()
    }
}

fn days() -> (Timestamp, Timestamp) {
    validity(Timestamp::now(), 30)
}

fn agency(node: &Node) -> Enrolment {
    let (valid_from, valid_until) = days();
    let (oris, sealing) = (vec!["CA0194200".parse().unwrap()], node.sealing.clone());
    Enrolment::Agency(Box::new(AgencyCard { node: node.card(), oris, sealing, valid_from, valid_until }))
}

fn issuer(node: &Node, block: &str) -> Enrolment {
    let (valid_from, valid_until) = days();
    Enrolment::Issuer(Box::new(IssuerCard {
        node: node.card(),
        prefixes: vec![block.parse().unwrap()],
        delegation: None,
        books_log: None,
        books_log_ended: None,
        valid_from,
        valid_until,
    }))
}

fn signed(entry: &Enrolment, by: &Node) -> Card {
    Card::sign(entry, &by.statements, None).unwrap()
}

const NONE: EnrolRules =
    EnrolRules { quorum: None, replace: false, without_old_key: false, end: Vec::new(), by: None };
const REPLACE: EnrolRules =
    EnrolRules { quorum: None, replace: true, without_old_key: false, end: Vec::new(), by: None };

#[test]
fn a_card_that_was_altered_on_the_way_is_no_card() {
    let house = House::new();
    let police = house.node("police", NodeRole::Agency, "police.example");
    let card = signed(&agency(&police), &police).to_string();
    let read = Card::parse(card.as_bytes()).unwrap();
    assert_eq!((read.to_string(), read.fingerprint().len()), (card.clone(), 39));
    for at in 0..card.len() {
        let mut bytes = card.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(Card::parse(&bytes).is_err(), "byte {at}");
    }
    let other = house.node("other", NodeRole::Agency, "other.example");
    let foreign = signed(&agency(&police), &other).to_string();
    assert!(Card::parse(foreign.as_bytes()).is_err(), "signed by somebody else");
    let unsigned = serde_json::to_string(&agency(&police)).unwrap();
    assert!(Card::parse(unsigned.as_bytes()).unwrap_err().to_string().contains("not signed"));
}

#[test]
fn what_stands_is_replaced_only_when_that_is_said_and_its_key_agrees() {
    let house = House::new();
    let police = house.node("police", NodeRole::Agency, "police.example");
    let Enrolment::Agency(mut over) = agency(&police) else { unreachable!() };
    over.valid_until = over.valid_from;
    let refused = house.enrol(&[signed(&Enrolment::Agency(over), &police)], &NONE).unwrap_err();
    assert!(matches!(&refused, EnrolError::Card(what) if what.contains("are over")), "{refused}");
    let first = signed(&agency(&police), &police);
    let changes = house.enrol(std::slice::from_ref(&first), &NONE).unwrap().changes;
    let told = "police.example: new, agency at http://police.example, ORI CA0194200, until ";
    assert!(changes[0].starts_with(told) && changes[0].ends_with(&first.fingerprint()), "{changes:?}");
    // The same again with other days is routine.
    house.enrol(&[signed(&agency(&police), &police)], &NONE).unwrap();
    // Unless they end sooner: whoever sends an old card again would shut the node out.
    let Enrolment::Agency(mut old) = agency(&police) else { unreachable!() };
    old.valid_until = old.valid_from;
    let refused = house.enrol(&[signed(&Enrolment::Agency(old), &police)], &NONE).unwrap_err();
    assert!(matches!(&refused, EnrolError::Stands(what) if what.contains("valid_until")), "{refused}");

    let Enrolment::Agency(mut moved) = agency(&police) else { unreachable!() };
    moved.node.url = "http://elsewhere.example".to_owned();
    let moved = signed(&Enrolment::Agency(moved), &police);
    let before = house.entries();
    let refused = house.enrol(std::slice::from_ref(&moved), &NONE).unwrap_err();
    let line = "police.example: node.url http://police.example → http://elsewhere.example";
    assert!(matches!(&refused, EnrolError::Stands(what) if what == line), "{refused}");
    assert_eq!(house.entries(), before, "nothing was written");
    let changes = house.enrol(&[moved], &REPLACE).unwrap().changes;
    assert!(changes.iter().any(|change| change == line), "{changes:?}");

    // Other keys under the same name: the old one signs, or the operator takes it on.
    let anew = house.node("anew", NodeRole::Agency, "police.example");
    let usurped = signed(&agency(&anew), &anew);
    let refused = house.enrol(std::slice::from_ref(&usurped), &REPLACE).unwrap_err();
    assert!(matches!(refused, EnrolError::OldKey(_)), "{refused}");
    let lost = EnrolRules { without_old_key: true, ..REPLACE };
    let changes = house.enrol(std::slice::from_ref(&usurped), &lost).unwrap().changes;
    assert!(changes[0].contains("did not sign; fingerprint"), "{changes:?}");
    let vouched = Card::sign(&agency(&police), &police.statements, Some(&anew.statements)).unwrap();
    let vouched = Card::parse(vouched.to_string().as_bytes()).unwrap();
    house.enrol(&[vouched], &REPLACE).unwrap();
}

#[test]
fn a_witness_has_two_keys_of_one_name_that_no_other_witness_has() {
    let house = House::new();
    let [one, two] =
        ["one", "two"].map(|name| house.node(name, NodeRole::Witness, &format!("{name}.example")));
    let first = signed(&Enrolment::Witness(one.witness_card()), &one);
    house.enrol(&[first], &EnrolRules { quorum: Some(1), ..NONE }).unwrap();
    let good = two.witness_card();
    let key = |name: &str, kind, seed| {
        let key = SigningKey::from_seed(name, kind, &[seed; 32]).unwrap();
        key.verifier().to_string()
    };
    let (ed, ml) = (KeyKind::Witness, KeyKind::WitnessMlDsa44);
    for (first, second, reason) in [
        (None, Some(key("other.example", ml, 3)), "not one of Ed25519 and one of ML-DSA-44 under one name"),
        (None, one.witness_card().key_ml_dsa_44, "under one name"),
        (Some(key("two.example", ml, 4)), Some(key("two.example", ml, 5)), "under one name"),
        (None, Some(key("two.example", ed, 6)), "of another kind"),
        (None, Some("two.example+00000000+AAAA".to_owned()), "a key of two.example"),
        (Some(key("one.example", ed, 7)), None, "one.example and two.example cosign as one.example"),
    ] {
        let card =
            WitnessCard { key: first.unwrap_or(good.key.clone()), key_ml_dsa_44: second, ..good.clone() };
        let refused = house.enrol(&[signed(&Enrolment::Witness(card.clone()), &two)], &NONE).unwrap_err();
        assert!(refused.to_string().contains(reason), "{card:?}: {refused}");
    }
    // As it stood before there were second keys; then the second is named, which is a change that must be meant.
    let old = WitnessCard { key_ml_dsa_44: None, ..good.clone() };
    house.enrol(&[signed(&Enrolment::Witness(old), &two)], &NONE).unwrap();
    let new = [signed(&Enrolment::Witness(good), &two)];
    let refused = house.enrol(&new, &NONE).unwrap_err().to_string();
    assert!(refused.contains("two.example: key_ml_dsa_44 nothing → two.example+"), "{refused}");
    house.enrol(&new, &REPLACE).unwrap();
}

#[test]
fn nothing_is_enrolled_with_which_no_federation_could_work() {
    let house = House::new();
    let maker = house.node("maker", NodeRole::Issuer, "maker.example");
    let police = house.node("police", NodeRole::Agency, "police.example");
    let [one, two] =
        ["one", "two"].map(|name| house.node(name, NodeRole::Witness, &format!("{name}.example")));
    let cards = [
        signed(&issuer(&maker, "K7"), &maker),
        signed(&agency(&police), &police),
        signed(&Enrolment::Witness(one.witness_card()), &one),
        signed(&Enrolment::Witness(two.witness_card()), &two),
    ];
    house.enrol(&cards, &EnrolRules { quorum: Some(2), ..NONE }).unwrap();
    let before = house.entries().unwrap();
    let refused = |what: &str, cards: &[Card], quorum: Option<usize>| {
        let refused = house.enrol(cards, &EnrolRules { quorum, ..REPLACE }).unwrap_err().to_string();
        assert!(refused.contains(what), "{what}: {refused}");
        assert_eq!(house.entries().unwrap(), before, "{what}: nothing was written");
    };
    refused("cannot be met", &[], Some(3));
    refused("no court bundle", &[], Some(0));
    let rival = house.node("rival", NodeRole::Issuer, "rival.example");
    let two = "block K7 has two issuers, maker.example and rival.example";
    refused(two, &[signed(&issuer(&rival, "K7"), &rival)], None);
    let twofold = house.node("twofold", NodeRole::Agency, "maker.example");
    let twofold = Card::sign(&agency(&twofold), &twofold.statements, Some(&maker.statements)).unwrap();
    refused("maker.example is an issuer and an agency", &[twofold], None);

    // One secret under another name: a witness, and an agency, that count twice.
    let copied = |from: &Node, role: NodeRole, name: &str| {
        let mut config = NodeConfig::new(role, name.parse().unwrap(), &format!("http://{name}"));
        config.oris = from.config.oris.clone();
        let copy = node(&house.root.path().join(name), role, name, &config.url);
        std::fs::copy(from.folder.join("node.key"), copy.folder.join("node.key")).unwrap();
        Node::open(copy.folder.parent().unwrap()).unwrap()
    };
    let twin = copied(&one, NodeRole::Witness, "twin.example");
    refused(
        "one.example and twin.example have one key",
        &[signed(&Enrolment::Witness(twin.witness_card()), &twin)],
        None,
    );
    let double = copied(&police, NodeRole::Agency, "double.example");
    refused("police.example and double.example have one key", &[signed(&agency(&double), &double)], None);
    let shadow = copied(&maker, NodeRole::Issuer, "shadow.example");
    refused(
        "maker.example and shadow.example have one key",
        &[signed(&issuer(&shadow, "K8"), &shadow)],
        None,
    );
    let third = house.node("third", NodeRole::Witness, "third.example");
    let mut same = third.witness_card();
    for spelling in ["http://one.example", "http://one.example./", "https://one.example:80"] {
        spelling.clone_into(&mut same.url);
        let card = signed(&Enrolment::Witness(same.clone()), &third);
        refused("one.example and third.example have one address", &[card], None);
    }

    let own = House::new().directory.config.url;
    own.clone_into(&mut same.url);
    refused("the directory's own address", &[signed(&Enrolment::Witness(same), &third)], None);
    let capitals = house.node("capitals", NodeRole::Agency, "Police.example");
    let Enrolment::Agency(mut alike) = agency(&capitals) else { unreachable!() };
    alike.oris = vec!["CA0194201".parse().unwrap()];
    let two = "police.example and Police.example are one name but for capitals";
    refused(two, &[signed(&Enrolment::Agency(alike), &capitals)], None);

    let Enrolment::Agency(mut mute) = agency(&rival) else { unreachable!() };
    mute.oris.clear();
    refused("no ORI", &[signed(&Enrolment::Agency(mute), &rival)], None);
    let mut far = third.witness_card();
    far.url = "ftp://third.example".to_owned();
    refused("no address of a node", &[signed(&Enrolment::Witness(far), &third)], None);
    let Enrolment::Issuer(mut foreign) = issuer(&rival, "K8") else { unreachable!() };
    foreign.node.log = third.log.verifier().to_string();
    refused("has a key of the name third.example/log", &[signed(&Enrolment::Issuer(foreign), &rival)], None);
    // Of several cards one that cannot be keeps all out.
    let good = signed(&Enrolment::Witness(third.witness_card()), &third);
    refused("block K7 has two issuers", &[good.clone(), signed(&issuer(&rival, "K7"), &rival)], None);
    house.enrol(&[good], &NONE).unwrap();
}

#[test]
fn an_ori_and_a_licence_are_one_houses_at_a_time() {
    let house = House::new();
    let police = house.node("police", NodeRole::Agency, "police.example");
    house.enrol(&[signed(&agency(&police), &police)], &NONE).unwrap();
    let sheriff = house.node("sheriff", NodeRole::Agency, "sheriff.example");
    // Its card is older than the change.
    let hour = jiff::SignedDuration::from_hours(1);
    let Enrolment::Agency(mut older) = agency(&sheriff) else { unreachable!() };
    older.valid_from = older.valid_from.checked_sub(hour).unwrap();
    let second = [signed(&Enrolment::Agency(older), &sheriff)];
    let refused = house.enrol(&second, &REPLACE).unwrap_err().to_string();
    assert!(
        refused.contains("police.example and sheriff.example have ORI CA0194200 at one time"),
        "{refused}"
    );

    // It changes hands when the first one's entry ends, and goes back when the second one's does.
    let ending = |name: &str| EnrolRules { end: vec![name.parse().unwrap()], ..NONE };
    let done = house.enrol(&second, &ending("police.example")).unwrap();
    assert!(done.changes[0].starts_with("police.example: ends "), "{done:?}");
    let entry = &done.entries[0];
    assert_eq!((&entry["name"], &entry["oris"][0]), (&"sheriff.example".into(), &"CA0194200".into()));
    assert_eq!((&entry["role"], &entry["url"]), (&"agency".into(), &"http://sheriff.example".into()));
    assert_eq!(entry["fingerprint"], second[0].fingerprint());
    let back = [signed(&agency(&police), &police)];
    assert!(house.enrol(&back, &REPLACE).unwrap_err().to_string().contains("at one time"));
    // What was ended does not begin again because its card comes once more.
    house.enrol(&[], &ending("sheriff.example")).unwrap();
    let again = [signed(&agency(&sheriff), &sheriff)];
    let refused = house.enrol(&again, &NONE).unwrap_err();
    assert!(matches!(&refused, EnrolError::Stands(what) if what.contains("valid_until")), "{refused}");
    let Enrolment::Agency(mut old) = agency(&sheriff) else { unreachable!() };
    old.valid_from = old.valid_from.checked_sub(hour).unwrap();
    let refused = house.enrol(&[signed(&Enrolment::Agency(old), &sheriff)], &REPLACE).unwrap_err();
    assert!(matches!(&refused, EnrolError::Card(what) if what.contains("ended after")), "{refused}");
    house.enrol(&[signed(&agency(&sheriff), &sheriff)], &REPLACE).unwrap();
    let before = house.entries();
    let nobody = house.enrol(&[], &ending("nobody.example")).unwrap_err();
    assert!(matches!(nobody, EnrolError::Unknown(_)), "{nobody}");
    assert_eq!(house.entries(), before, "nothing was written");

    let licence = |node: &Node| {
        let (valid_from, valid_until) = days();
        let (licence, sealing) = ("1-23-456-01-9A-33333".parse().unwrap(), node.sealing.clone());
        let card = DealerCard { node: node.card(), licence, sealing, valid_from, valid_until };
        signed(&Enrolment::Dealer(Box::new(card)), node)
    };
    let [one, two] =
        ["shop", "store"].map(|name| house.node(name, NodeRole::Dealer, &format!("{name}.example")));
    let done = house.enrol(&[licence(&one)], &NONE).unwrap();
    assert!(done.changes[0].contains(", licence 1-23-456-01-9A-33333, until"), "{done:?}");
    let refused = house.enrol(&[licence(&two)], &REPLACE).unwrap_err().to_string();
    assert!(refused.contains("shop.example and store.example have licence"), "{refused}");
}

#[test]
fn addresses_and_names_are_such_as_nodes_have() {
    for good in [
        "http://127.0.0.1:8401",
        "https://maker.example",
        "https://a.example/node",
        "http://[::1]:81",
        "http://x/",
    ] {
        assert_eq!(check_url(good), Ok(()), "{good}");
    }
    for bad in [
        "ftp://x",
        "maker.example",
        "https://",
        "http://:80",
        "http://a b",
        "https://a.example/?x",
        "",
        "file:///etc",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:",
        "http://[::1",
        "http://127.0.0.1:18498%2f",
        "http://127.1:8401",
        "http://0x7f.0.0.1:8401",
        "http://127.0.0.1:08401",
        "http://127.0.0.1:8401/.",
        "http://127.0.0.1:8401//x/..",
        "http://127.0.0.1:8401//x",
        "http://maker.example:80",
        "HTTP://maker.example",
        "http://Maker.example",
        "http://a@maker.example",
    ] {
        assert!(check_url(bad).is_err(), "{bad}");
    }
    for bad in ["../../x", "a/../b", "/a", "a//b", "a/", ".", "-a", "a.", "a-/b", ""] {
        assert!(bad.parse::<server::api::NodeName>().is_err(), "{bad}");
    }
    for good in ["maker.example", "state/lab-2", "W1"] {
        assert!(good.parse::<server::api::NodeName>().is_ok(), "{good}");
    }
}
