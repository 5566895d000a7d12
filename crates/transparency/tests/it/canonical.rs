//! Canonical JSON: the rules of RFC 8785 for the values that a record may hold.

use proptest::prelude::*;
use serde_json::{Value, json};
use transparency::canonical_json;

fn check(value: &Value, expected: &str) {
    assert_eq!(String::from_utf8(canonical_json(value).unwrap()).unwrap(), expected);
}

#[test]
fn members_strings_and_integers_have_one_spelling() {
    check(&json!(null), "null");
    check(&json!([true, false, [], {}]), "[true,false,[],{}]");
    check(&json!({"b": 1, "a": -2, "": 0}), r#"{"":0,"a":-2,"b":1}"#);
    check(&json!(9007199254740991_i64), "9007199254740991");
    check(
        &json!("\u{8}\t\n\u{c}\r\"\\/\u{1}\u{1f}\u{7f}€"),
        "\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u001f\u{7f}€\"",
    );
    // The example of RFC 8785, section 3.2.3: order by UTF-16 code units, not by code points.
    let names =
        json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
    check(
        &names,
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
    );
}

#[test]
fn numbers_without_one_spelling_are_refused() {
    for number in [json!(0.5), json!(1e3), json!(-0.0), json!(9007199254740992_u64), json!(u64::MAX)] {
        let error = canonical_json(&json!({"deep": [number]})).unwrap_err().to_string();
        assert!(error.contains("no canonical form"), "{error}");
    }
}

fn record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9007199254740991_i64..=9007199254740991).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_bytes_read_back_as_the_same_record_and_never_change(value in record()) {
        let bytes = canonical_json(&value).unwrap();
        let again: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&again, &value);
        prop_assert_eq!(canonical_json(&again).unwrap(), bytes);
    }
}
