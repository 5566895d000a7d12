//! Scheme files: the built-in ones, and what is said about wrong ones.

use proptest::prelude::*;
use symbology::{CheckRule, CodeError, Mark, Scheme};

const OPEN_1: &str = include_str!("../../schemes/open-1.toml");

#[test]
fn built_in_schemes() {
    let open = Scheme::open_1();
    assert_eq!((open.name(), open.length(), open.check()), ("open-1", 31, CheckRule::Mother));
    assert_eq!(open.marks(), Mark::ALL);
    for mark in Mark::ALL {
        assert_eq!(open.symbol_range(mark), Some(mark.symbol_range()));
    }
    let plain = Scheme::plain_8();
    assert_eq!((plain.name(), plain.length(), plain.check()), ("plain-8", 8, CheckRule::None));
    let round = Scheme::round_1();
    assert_eq!((round.name(), round.length()), ("round-1", 31));
    for scheme in [open, plain, round] {
        assert_eq!(Scheme::by_name(scheme.name()), Ok(scheme));
    }
    assert_eq!(
        Scheme::by_name("open-2").unwrap_err().to_string(),
        "there is no built-in scheme `open-2`\nhint: open-1, plain-8, round-1, or the path of a scheme file"
    );
}

#[test]
fn whitening_is_published_digits() {
    // pi - 3 and e - 2 in hexadecimal.
    let bits = |hex: &str| -> Vec<u8> {
        hex.chars()
            .flat_map(|c| (0..4).rev().map(move |k| (c.to_digit(16).unwrap() >> k & 1) as u8))
            .collect()
    };
    let fives = |hex: &str, count: usize| -> Vec<u8> {
        bits(hex).chunks(5).take(count).map(|five| five.iter().fold(0, |n, b| n << 1 | b)).collect()
    };
    let open: Vec<u8> = (0..31).map(|i| Scheme::open_1().whitening(i)).collect();
    assert_eq!(open[..8], [0; 8]);
    assert_eq!(open[8..], fives("243F6A8885A308D313198A2E037073", 23));
    let round: Vec<u8> = (0..31).map(|i| Scheme::round_1().whitening(i)).collect();
    assert_eq!(round[..6], [0; 6]);
    assert_eq!(round[6..], fives("B7E151628AED2A6ABF7158809CF4F3C7", 25));
}

#[test]
fn a_round_is_not_read_as_a_firearm() {
    let (open, round) = (Scheme::open_1(), Scheme::round_1());
    let code = open.code("K73MXP").unwrap();
    let text = round.text(&round.word("K73MXP").unwrap());
    assert_eq!(text, "K73M XP4N");
    assert_eq!(round.code(&text), Ok(code));
    assert!(matches!(open.code(&text), Err(CodeError::Check { .. })));
    match round.code("K73M XPKA") {
        Err(CodeError::Check { nearest, .. }) => {
            assert!(nearest.iter().all(|near| round.code(near).is_ok()), "{nearest:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn free_text_has_all_36_characters() {
    let plain = Scheme::plain_8();
    let word = plain.word("bioq-0189").unwrap();
    assert_eq!(plain.text(&word), "BIOQ 0189");
    assert_eq!(
        plain.word("0H5K").unwrap_err().to_string(),
        "`0H5K` has 4 characters, a mark of scheme plain-8 has 8"
    );
    assert_eq!(
        plain.word("0H5K B4M*").unwrap_err().to_string(),
        "`*` in `0H5K B4M*` is not a character of a code\nhint: a code has digits and letters only"
    );
}

#[test]
fn wrong_files_end_in_one_sentence() {
    let check = |from: &str, to: &str, expected: &str| {
        assert!(OPEN_1.contains(from), "{from}");
        let error = Scheme::from_toml(&OPEN_1.replacen(from, to, 1)).unwrap_err().to_string();
        assert_eq!(error, expected);
        assert!(!error.contains('\n') && !error.ends_with('.'));
    };
    check(
        "scheme/1",
        "scheme/9",
        "the scheme's `format` is `microstamp.scheme/9`, this program reads `microstamp.scheme/1`",
    );
    check("\"open-1\"", "\"Open 1\"", "the scheme's `name` must be 1 to 32 small letters, digits and dashes");
    check(
        "0123456789ACD",
        "0123456789AC*",
        "the scheme's `alphabet` has `*`, for which there is no glyph (0-9 and A-Z have one)",
    );
    check("0123456789ACD", "0123456789ACC", "the scheme's `alphabet` has `C` twice");
    check(
        "0123456789ACD",
        "0123456789ACB",
        "the scheme's `alphabet` must be 0123456789ACDEFGHJKLMNPRSTUVWXYZ for the mother code",
    );
    check(
        "4, 16, 31",
        "4, 16, 32",
        "the scheme's `whitening` must be numbers up to 31, the first six of them 0",
    );
    check("4, 16, 31", "4, 16", "the scheme's `whitening` has 30 numbers, not 31");
    check(
        "rows = [4, 4]",
        "rows = [40, 40]",
        "the scheme's `rows` must be lengths of rows, of 1 to 64 characters (31) together",
    );
    check("pen = 1.2", "pen = 9.0", "the scheme's `pen` must be thinner than a glyph is wide and high");
    check("pen = 1.2", "pen = nan", "the scheme's `characters` must have positive sizes in modules");
    check("first = 16", "first = 17", "the scheme's `dots` must carry symbols between 0 and 30");
    check(
        "outer = 21.0",
        "outer = 17.0",
        "the scheme's `gear` must have radii in modules that grow outwards",
    );
    check(
        "ring_pitch = 1.7",
        "ring_pitch = -1",
        "the scheme's `ring_pitch` must be a positive number of modules",
    );
    check("\"mother-31-6\"", "\"none\"", "the scheme's `whitening` has 31 numbers, not 0");
    check(
        "pen = 1.2",
        "pan = 1.2",
        "line 18 of the scheme is wrong: unknown field `pan`, expected one of `rows`, `cap_height`, `glyph_width`, `column_pitch`, `row_pitch`, `pen`",
    );
}

proptest! {
    #[test]
    fn any_text_is_a_scheme_or_an_error(text in ".{0,200}") {
        let _ = Scheme::from_toml(&text);
    }

    #[test]
    fn any_change_of_a_file_is_a_scheme_or_an_error(at in 0..OPEN_1.len(), with in "[ -~\n]{0,3}") {
        let mut text = OPEN_1.to_owned();
        text.replace_range(at..at, &with);
        if let Ok(scheme) = Scheme::from_toml(&text) {
            for mark in scheme.marks() {
                let layout = symbology::geometry::layout(&scheme, mark);
                prop_assert!(layout.is_some_and(|layout| layout.extent().is_finite()));
            }
        }
    }
}
