//! Whether two names are one person's: two spellings do not make two people.

use registry::names::Person;
use unicode_normalization::UnicodeNormalization as _;

/// Whether two names differ in nothing but case, spaces, punctuation, marks that cannot be seen, or the form of their letters
/// (Unicode NFKC). Letters of different scripts that look alike are told apart: accounts are made by an operator, who sees to
/// that.
pub fn same_person(a: &Person, b: &Person) -> bool {
    folded(a) == folded(b)
}

fn folded(person: &Person) -> String {
    let whole: String = person.as_str().nfkc().flat_map(char::to_lowercase).collect();
    whole.nfkc().filter(|letter| letter.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_do_not_make_people() {
        let person = |name: &str| name.parse::<Person>().expect("a name");
        for other in
            ["Det. Example", "det example", "det.\u{200b}example", "ｄｅｔ. Example", "DET\u{ad}.  EXAMPLE"]
        {
            assert!(same_person(&person("det. example"), &person(other)), "{other:?}");
        }
        assert!(same_person(&person("j. müller"), &person("J. Mu\u{308}ller")));
        for other in ["det. example 2", "sgt. example", "det. sample"] {
            assert!(!same_person(&person("det. example"), &person(other)), "{other:?}");
        }
    }
}
