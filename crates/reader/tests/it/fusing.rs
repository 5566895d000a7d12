//! What several cases say together, and what none of them may be made to say.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use reader::{
    Observation, Outcome, ReadOptions, Reading, fuse, likeliest_scheme, observe_micrograph,
    observe_topography, read_topography,
};
use symbology::{Mark, Scheme, geometry};
use topography::{Grid, Length, Topography};

use crate::generator::{Damage, View, photograph, random_word, seeded, strike};

const PIN: [Mark; 2] = [Mark::Characters, Mark::Gear];

fn options() -> ReadOptions {
    ReadOptions::new(Scheme::open_1())
}

/// A case with marks of a scheme that show a word, which need not be one of its code.
fn case(scheme: &Scheme, marks: &[Mark], word: &[u8], (condition, seed): (&str, u64)) -> Topography {
    let mut rng = seeded(seed);
    let elements: Vec<_> = marks.iter().flat_map(|&mark| geometry::draw(scheme, mark, word)).collect();
    let view = View::upright(&mut rng);
    strike(&elements, &Damage::named(condition), &view, &mut rng)
}

fn pin(word: &[u8], condition: &str, seed: u64) -> Topography {
    case(&Scheme::open_1(), &PIN, word, (condition, seed))
}

fn blank(seed: u64) -> Topography {
    case(&Scheme::open_1(), &[], &[], ("level-3", seed))
}

fn observed(surface: &Topography) -> Observation {
    observe_topography(surface, &options()).expect("it is large enough")
}

fn fused(observations: &[Observation]) -> Reading {
    fuse(observations, &options()).expect("there are observations")
}

/// The word with other values at some places.
fn damaged(word: &[u8], places: &[usize]) -> Vec<u8> {
    let mut word = word.to_vec();
    for &place in places {
        word[place] ^= 9;
    }
    word
}

/// Photographs of ruined cases under one lamp each, at any turn and size, of firearms with these words.
fn ruined(words: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<Observation> {
    let (scheme, damage) = (Scheme::open_1(), Damage::named("level-4"));
    let photographed = |word: &Vec<u8>| {
        let elements: Vec<_> = PIN.iter().flat_map(|&mark| geometry::draw(&scheme, mark, word)).collect();
        let surface = strike(&elements, &damage, &View::anyhow(rng), rng);
        let picture = photograph(&surface, &damage, false, rng);
        observe_micrograph(&picture, &options()).expect("it is large enough")
    };
    words.iter().map(photographed).collect()
}

#[test]
fn ruined_cases_that_are_not_read_by_themselves_are_read_together() {
    let mut rng = seeded(801_000_000_033);
    let word = random_word(&mut rng);
    let cases = ruined(&vec![word.clone(); 6], &mut rng);
    let alone = cases.iter().filter(|case| fused(std::slice::from_ref(case)).code.is_some()).count();
    assert_eq!(alone, 0);
    assert_eq!(fused(&cases).code, Some(Scheme::open_1().text(&word)));
}

#[test]
fn two_doubtful_cases_that_agree_are_candidates() {
    let mut rng = seeded(811_000_001_033);
    let word = random_word(&mut rng);
    let reading = fused(&ruined(&vec![word.clone(); 6], &mut rng));
    assert!(reading.code.is_none_or(|code| code == Scheme::open_1().text(&word)));
}

#[test]
fn poses_are_not_made_to_agree_where_no_code_is_shared() {
    let mut rng = seeded(902);
    let nonsense: Vec<Vec<u8>> = (0..4).map(|_| (0..31).map(|_| rng.random_range(0..32)).collect()).collect();
    let reading = fused(&ruined(&nonsense, &mut rng));
    assert_eq!(reading.code, None, "{:?}", reading.candidates.first());
}

#[test]
fn unmarked_cases_neither_outvote_a_marked_one_nor_count_as_guns() {
    let word = random_word(&mut seeded(1));
    let (marked, unmarked) = (observed(&pin(&word, "level-1", 11)), observed(&blank(12)));
    for order in [[0, 1, 1], [1, 1, 0]] {
        let observations = order.map(|k| if k == 0 { marked.clone() } else { unmarked.clone() });
        let reading = fused(&observations);
        assert_eq!((reading.code, reading.firearms), (Some(Scheme::open_1().text(&word)), 1));
    }
}

#[test]
fn a_case_given_twice_does_not_outweigh_another_gun() {
    let mut rng = seeded(2);
    let [a, b] = [13, 14].map(|seed| observed(&pin(&random_word(&mut rng), "level-1", seed)));
    let reading = fused(&[a, b.clone(), b]);
    assert_eq!((reading.outcome, reading.code, reading.firearms), (Outcome::Candidates, None, 2));
    assert_eq!(reading.groups.len(), 2);
}

#[test]
fn images_of_one_case_are_one_witness() {
    let seen = observed(&pin(&random_word(&mut seeded(3)), "level-4", 15));
    let once = fused(std::slice::from_ref(&seen));
    let thrice = fused(&[0; 3].map(|case| seen.clone().of_case(Some(case))));
    assert_eq!(once.outcome, thrice.outcome);
    for (once, thrice) in once.symbols.iter().zip(&thrice.symbols) {
        assert!((once.bits - thrice.bits).abs() < 1e-3, "symbol {}", once.index);
    }
    let apart = fused(&[0, 1, 2].map(|case| seen.clone().of_case(Some(case))));
    let told = |reading: &Reading| reading.symbols.iter().map(|symbol| symbol.information).sum::<f64>();
    assert!(told(&apart) > told(&once) + 1.0, "three cases must say more than one");
}

#[test]
fn damage_to_the_pin_counts_once_however_many_cases_show_it() {
    let word = random_word(&mut seeded(4));
    let pinned = damaged(&word, &[1, 9, 13]);
    let cases: Vec<_> = (20..24).map(|seed| observed(&pin(&pinned, "level-0", seed))).collect();
    let code = Some(Scheme::open_1().text(&word));
    assert_eq!(fused(&cases[..1]).code, code);
    assert_eq!(fused(&cases).code, code);
}

#[test]
fn a_symbol_that_no_code_has_is_not_explained_away() {
    let scheme = Scheme::open_1();
    let marks = vec![Mark::Characters];
    let text = damaged(&random_word(&mut seeded(5)), &[6]);
    let surface = case(&scheme, &marks, &text, ("level-0", 30));
    let reading = read_topography(&surface, &ReadOptions { marks, ..options() }).expect("it is large enough");
    assert!(reading.candidates.iter().all(|candidate| candidate.posterior < 0.5), "{:?}", reading.candidates);
    let of = reading.hypotheses;
    assert!((of.code + of.text + of.nonsense + of.none - 1.0).abs() < 1e-9);
    assert!(of.text > 0.3, "{of:?}");
}

#[test]
fn the_likeliest_scheme_is_that_of_the_mark() {
    let schemes = [Scheme::open_1(), Scheme::round_1(), Scheme::plain_8()];
    let mut rng = seeded(6);
    let code = random_word(&mut rng);
    let text = schemes[2].word("RYWHYZZ2").expect("plain-8 takes any characters");
    let cases = [
        (0, case(&schemes[0], &PIN, &code, ("level-1", 31))),
        (2, case(&schemes[2], &[Mark::Characters], &text, ("level-1", 32))),
    ];
    for (right, surface) in cases {
        let readings: Vec<Reading> = schemes
            .iter()
            .map(|scheme| read_topography(&surface, &ReadOptions::new(scheme.clone())))
            .collect::<Result<_, _>>()
            .expect("it is large enough");
        let evidence: Vec<f64> = readings.iter().map(|reading| reading.log_evidence).collect();
        let (place, reading) = likeliest_scheme(&readings).expect("there are readings");
        assert_eq!(place, right, "{evidence:?}");
        assert_eq!(reading.candidates[0].code, schemes[right].text(if right == 0 { &code } else { &text }));
    }
}

#[test]
fn two_marks_in_one_frame_are_both_told() {
    let mut rng = seeded(7);
    let [a, b] = [40, 41].map(|seed| pin(&random_word(&mut rng), "level-1", seed));
    let side = a.heights.width();
    let heights = Grid::from_fn(2 * side, side, |x, y| {
        let surface = if x < side { &a } else { &b };
        surface.heights[(x % side, y)]
    });
    let reading = fused(&[observed(&Topography { heights, pitch: a.pitch })]);
    assert_eq!((reading.outcome, reading.code, reading.firearms), (Outcome::Candidates, None, 2));
    assert!(reading.warnings.iter().any(|warning| warning.contains("2 marks lie in the frame")));
}

#[test]
fn another_mark_over_part_of_this_one_withholds_the_code() {
    let word = random_word(&mut seeded(8));
    let reading = fused(&[observed(&pin(&damaged(&word, &[9, 10]), "level-0", 42))]);
    assert_eq!((reading.outcome, reading.code), (Outcome::Candidates, None));
    assert!(reading.warnings.iter().any(|warning| warning.contains("one over the other")));
}

#[test]
fn nonsense_carries_less_than_a_code_needs() {
    for seed in [50, 51] {
        let reading = fused(&[observed(&blank(seed))]);
        assert!(reading.bits_carried < reading.bits_needed - 5.0, "{}", reading.bits_carried);
    }
    let scheme = Scheme::plain_8();
    let reading = read_topography(&blank(52), &ReadOptions::new(scheme)).expect("it is large enough");
    assert!((reading.bits_needed - 8.0 * 36f64.log2()).abs() < 1e-9);
}

#[test]
fn a_scheme_of_two_letters_is_read() {
    let text = "format = \"microstamp.scheme/1\"\nname = \"two\"\ntitle = \"Two letters\"\nalphabet = \"01\"\n\
                check = \"none\"\n\n[characters]\nrows = [4, 4]\ncap_height = 8.0\nglyph_width = 5.0\n\
                column_pitch = 6.2\nrow_pitch = 10.0\npen = 1.2\n";
    let scheme = Scheme::from_toml(text).expect("the scheme is valid");
    let word = [0, 1, 1, 0, 1, 0, 0, 1];
    let surface = case(&scheme, &[Mark::Characters], &word, ("level-1", 60));
    let reading = read_topography(&surface, &ReadOptions::new(scheme)).expect("it is large enough");
    assert!(reading.symbols.iter().all(|symbol| symbol.alternatives.len() <= 1));
}

#[test]
fn a_given_module_keeps_the_marks_of_each_part_together() {
    let word = random_word(&mut seeded(9));
    let marks = vec![Mark::Characters, Mark::Gear, Mark::Dots];
    let given = ReadOptions { marks, module: Some(Length::um(19.0)), ..options() };
    let reading = read_topography(&pin(&word, "level-1", 61), &given).expect("it is large enough");
    assert_eq!(reading.code, Some(Scheme::open_1().text(&word)));
}
