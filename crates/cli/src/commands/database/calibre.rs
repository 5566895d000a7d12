//! Calibres under their many names.

/// Names of one cartridge, without blanks, points and `mm`; a bare number stands for the commonest cartridge that is called so.
///
/// Cartridges that are chambered alike and told apart by their load alone (.223 and 5.56 x 45, .308 and 7.62 x 51) are one here: a
/// filter leaves out only what is known to differ.
const CARTRIDGES: &[&[&str]] = &[
    &["9x19", "9", "9luger", "9para", "9parabellum", "9nato", "9p", "9lugerp"],
    &["9x17", "380", "380auto", "380acp", "9kurz", "9short", "9corto", "9browningshort", "9browningkurz"],
    &["9x18", "9x18pm", "9makarov"],
    &["9x21", "9x21imi", "9imi"],
    &["40sw", "40", "10x22", "40smithwesson", "40smithandwesson"],
    &["10x25", "10", "10auto"],
    &["45acp", "45", "45auto", "1143x23"],
    &["45gap", "45glock", "45glockautopistol"],
    &["357sig", "9x22"],
    &["357magnum", "357", "357mag", "9x33r", "357swmagnum"],
    &["38special", "38", "38spl", "38spec", "38sp", "38swspecial", "9x29r"],
    &["38super", "38superauto", "9x23sr"],
    &["44magnum", "44", "44mag", "44remmag", "44remingtonmagnum"],
    &["32acp", "32", "32auto", "765", "765browning", "765x17", "765x17sr"],
    &["765x21", "765parabellum", "765para", "765luger", "30luger"],
    &["25acp", "25", "25auto", "635", "635browning", "635x15sr", "635x16", "635x16sr"],
    &["22lr", "22", "22longrifle", "22lfb", "56x15r"],
    &["762x25", "762tokarev", "762tt"],
    &["57x28", "57", "57fn"],
    &["50ae", "50actionexpress"],
    &["556x45", "556", "556nato", "223", "223rem", "223remington"],
    &["762x51", "762nato", "308", "308win", "308winchester"],
    &["762x39", "762x39soviet", "762kalashnikov"],
    &["762x33", "30carbine", "30m1carbine"],
    &["762x63", "3006", "3006springfield", "3006sprg"],
    &["12gauge", "12", "12ga", "12bore", "1270", "1276"],
    &["20gauge", "20", "20ga", "20bore", "2070", "2076"],
    &["410bore", "410", "410gauge", "410ga"],
];

/// Words that follow the dimensions of a cartridge and say nothing more.
const BYNAMES: &[&str] = &[
    "parabellum",
    "para",
    "luger",
    "nato",
    "makarov",
    "tokarev",
    "kurz",
    "short",
    "browning",
    "auto",
    "magnum",
    "remington",
    "rem",
    "winchester",
    "win",
    "fn",
];

/// Whether two names stand for one calibre. Names that are not known stand for themselves, however they are written.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    known(one) == known(other)
}

/// The first name of the cartridge, else the text without blanks, points and case.
fn known(text: &str) -> String {
    let bare = bare(text);
    let dimensions =
        BYNAMES.iter().find_map(|byname| bare.strip_suffix(byname)).filter(|rest| rest.contains('x'));
    let named =
        |name: &str| CARTRIDGES.iter().find(|names| names.contains(&name)).map(|names| names[0].to_owned());
    named(&bare).or_else(|| named(dimensions?)).unwrap_or(bare)
}

fn bare(text: &str) -> String {
    let letters = text.to_lowercase().replace(['×', '*'], "x");
    let letters: String = letters.chars().filter(char::is_ascii_alphanumeric).collect();
    ["mm", "calibre", "caliber", "cal"].iter().fold(letters, |text, word| without(&text, word))
}

/// The text without a word that follows a number or begins it: of `44remmag` no letter is a unit.
fn without(text: &str, word: &str) -> String {
    let text = text.strip_prefix(word).unwrap_or(text);
    match text.find(word) {
        Some(at) if text[..at].ends_with(|last: char| last.is_ascii_digit()) => {
            format!("{}{}", &text[..at], &text[at + word.len()..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_cartridge_are_one_calibre() {
        for names in [
            &["9 mm Luger", "9mm", "9x19", "9×19mm Parabellum", "9 MM PARA", "9x19 mm NATO", "9 mm calibre"]
                [..],
            &[".380 ACP", "380 Auto", "9 mm Kurz", "9x17mm", "9mm Browning Short", "9 x 17 mm Kurz"],
            &[".40 S&W", "40 SW", ".40 Smith & Wesson", "10x22mm"],
            &[".45 ACP", "45", ".45 Auto", "11.43x23 mm"],
            &[".22 LR", "22", ".22 Long Rifle", "5.6x15 R"],
            &["7.62x25", "7.62×25 mm Tokarev", "7.62 Tokarev"],
            &["12 gauge", "12/70", "12 ga."],
            &[".44 Magnum", ".44 Rem. Mag.", "44 calibre"],
        ] {
            for name in names {
                assert!(is_same(names[0], name), "{} and {name}", names[0]);
            }
        }
    }

    #[test]
    fn cartridges_that_differ_stay_apart() {
        let names = [
            "9x19",
            ".380 ACP",
            "9x18 Makarov",
            ".38 Special",
            ".357 SIG",
            ".357 Magnum",
            ".40 S&W",
            "10 mm Auto",
            ".45 ACP",
            ".45 GAP",
            "7.62x39",
            "7.62x51",
            "7.62x25",
            "7.65 Browning",
            "7.65 Parabellum",
            "6.35 mm",
            ".22 LR",
            ".22 WMR",
        ];
        for (at, one) in names.iter().enumerate() {
            assert!(names[..at].iter().all(|other| !is_same(one, other)), "{one}");
        }
        assert!(is_same("Some Wildcat 6.1", "some-wildcat 6,1"), "what is not known stands for itself");
    }

    #[test]
    fn every_name_stands_for_one_cartridge() {
        let mut names: Vec<&str> = CARTRIDGES.concat();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| bare(name) == *name), "names are written as they are looked up");
    }
}
