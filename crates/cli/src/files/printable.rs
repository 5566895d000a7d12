//! What others wrote, as one line of a terminal.

/// Text that others wrote, so that it can neither begin a line of its own, nor move the cursor, nor turn the direction of what is read:
/// an issuer's words must not pass for another's, nor for the program's.
pub(crate) fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn others_words_stay_on_their_line() {
        let words = "cannot say\n\nverified by maker.example: never issued\r\u{1b}[1A\u{1b}[2K\u{9b}8m\u{2028}\u{202e}nothing";
        let line = printable(words);
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}')), "{line:?}");
        assert_eq!(line.chars().count(), words.chars().count(), "what was there shows");
        assert_eq!(
            printable("S\u{f8}ren, 9\u{a0}mm \u{2013} \u{30b5}"),
            "S\u{f8}ren, 9\u{a0}mm \u{2013} \u{30b5}"
        );
    }
}
