//! Writing and reading codes, prefixes, unit numbers and marks.

use proptest::prelude::*;
use symbology::{ALPHABET, Code, CodeError, Mark, Prefix, Symbol, UnitNumber};

fn any_code() -> impl Strategy<Value = Code> {
    proptest::array::uniform6(0..32_u8)
        .prop_map(|values| Code::new(values.map(|v| Symbol::new(v).expect("below 32"))))
}

#[test]
fn the_alphabet_has_32_characters_in_order() {
    assert_eq!(ALPHABET.len(), Symbol::COUNT);
    let written: String = Symbol::all().map(Symbol::to_char).collect();
    assert_eq!(written, ALPHABET);
    assert_eq!(Symbol::new(32), None);
    for letter in ['B', 'I', 'O', 'Q'] {
        assert!(!ALPHABET.contains(letter));
    }
}

#[test]
fn reading_is_forgiving() {
    let code: Code = "K73M XPKA".parse().unwrap();
    for text in
        ["k73mxpka", " K73M-XPKA ", "K7 3M XP KA", "K73M/XPKA", "K73M\u{2013}XPKA", "K73MXP", "K73M_XPKA"]
    {
        assert_eq!(text.parse::<Code>(), Ok(code), "{text}");
    }
    let zeros: Code = "001108".parse().unwrap();
    assert_eq!("OQIiob".parse::<Code>(), Ok(zeros));
}

#[test]
fn errors_say_what_to_do() {
    let check = |text: &str, expected: &str| {
        assert_eq!(text.parse::<Code>().unwrap_err().to_string(), expected);
    };
    check(
        "K73M XP*A",
        "`*` in `K73M XP*A` is not a character of a code\nhint: a code has digits and letters only",
    );
    check(
        "K73M XPK",
        "`K73M XPK` has 7 characters, a code has 8\nhint: write it like `K73M XPKA`, or without the two check characters at the end",
    );
    check(
        "",
        "`` has 0 characters, a code has 8\nhint: write it like `K73M XPKA`, or without the two check characters at the end",
    );
    assert_eq!(
        UnitNumber::new(1 << 20).unwrap_err().to_string(),
        "unit 1048576 does not fit a prefix, which has 1048576 units\nhint: go on with another prefix"
    );
    assert_eq!(
        "K7M".parse::<Prefix>().unwrap_err().to_string(),
        "`K7M` is not a prefix\nhint: a prefix has two characters, like `K7`"
    );
    assert_eq!(
        "teeth".parse::<Mark>().unwrap_err().to_string(),
        "`teeth` is not a kind of mark\nhint: characters, gear, dots, radial or matrix"
    );
}

proptest! {
    #[test]
    fn codes_are_read_as_they_are_written(code in any_code()) {
        prop_assert_eq!(code.to_string().parse::<Code>(), Ok(code));
        prop_assert_eq!(code.characters()[..6].parse::<Code>(), Ok(code));
    }

    #[test]
    fn one_wrong_character_is_never_taken_and_the_right_code_is_named_first(
        code in any_code(),
        place in 0..8_usize,
        change in 1..32_u8,
    ) {
        let mut symbols = code.symbols()[..8].to_vec();
        symbols[place] = Symbol::new(symbols[place].value() ^ change).expect("below 32");
        let text: String = symbols.iter().map(|s| s.to_char()).collect();
        match text.parse::<Code>() {
            Err(CodeError::Check { nearest, .. }) => {
                prop_assert_eq!(&nearest[0], &code.to_string());
                prop_assert!(nearest.len() <= 5);
                prop_assert!(nearest.iter().all(|near| near.parse::<Code>().is_ok()));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn swapped_neighbours_are_never_taken(code in any_code(), place in 0..7_usize) {
        let mut characters: Vec<char> = code.characters().chars().collect();
        prop_assume!(characters[place] != characters[place + 1]);
        characters.swap(place, place + 1);
        let text: String = characters.into_iter().collect();
        prop_assert!(text.parse::<Code>().is_err());
    }

    #[test]
    fn any_text_is_a_code_or_an_error(text in ".{0,40}") {
        let _ = text.parse::<Code>();
        let _ = text.parse::<Prefix>();
    }

    #[test]
    fn prefixes_are_numbered(index in 0..1024_u16) {
        let prefix = Prefix::from_index(index).expect("below 1,024");
        prop_assert_eq!(prefix.index(), index);
        prop_assert_eq!(prefix.to_string().parse::<Prefix>(), Ok(prefix));
    }
}

#[test]
fn codes_and_marks_are_json_strings() {
    let code: Code = "K73MXP".parse().unwrap();
    assert_eq!(serde_json::to_string(&code).unwrap(), "\"K73M XPKA\"");
    assert_eq!(serde_json::from_str::<Code>("\"K73M XPKA\"").unwrap(), code);
    assert!(serde_json::from_str::<Code>("\"K73M XPKB\"").is_err());
    assert_eq!(serde_json::to_string(&Mark::Gear).unwrap(), "\"gear\"");
    assert_eq!(serde_json::from_str::<Mark>("\"matrix\"").unwrap(), Mark::Matrix);
}
