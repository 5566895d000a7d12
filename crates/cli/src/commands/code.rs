//! `microstamp code`: the code alone, without a mark.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;
use symbology::decode::{DecodeOptions, Decoding, SymbolEvidence, decode as decode_symbols};
use symbology::{CheckRule, CodeError, Mark, Scheme, Symbol};

use crate::exit::{Exit, Failure, OrExit};
use crate::files::{print_line, read_text};

/// Encode, restore or check a code.
#[derive(Debug, Args)]
pub(crate) struct Code {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print all symbols that a code puts on its marks.
    Encode(Input),
    /// Restore a code from what is legible: 8 or 31 characters, `?` for those that are not.
    Decode(Input),
    /// Say whether the check characters agree, and name the nearest valid codes.
    Check(Input),
}

#[derive(Debug, Args)]
struct Input {
    /// The code; blanks, dashes and case do not matter.
    #[arg(value_name = "CODE")]
    text: String,
    /// A built-in scheme (open-1, plain-8, round-1) or a scheme file.
    #[arg(long, default_value = "open-1", value_name = "NAME|FILE")]
    scheme: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `microstamp code`.
pub(crate) fn run(arguments: &Code) -> Result<Exit, Failure> {
    match &arguments.action {
        Action::Encode(input) => encode(input),
        Action::Decode(input) => restore(input),
        Action::Check(input) => check(input),
    }
}

#[derive(Serialize)]
struct Encoded {
    schema: &'static str,
    scheme: String,
    code: String,
    prefix: Option<String>,
    symbols: String,
    marks: Vec<Slice>,
}

#[derive(Serialize)]
struct Slice {
    mark: Mark,
    first: usize,
    symbols: String,
}

fn encode(input: &Input) -> Result<Exit, Failure> {
    let scheme = scheme(&input.scheme)?;
    let word = scheme.word(&input.text).map_err(|error| Exit::BadInput.because(error))?;
    let written = |values: &[u8]| -> String {
        values.iter().map(|&v| scheme.alphabet().get(usize::from(v)).copied().unwrap_or('?')).collect()
    };
    let slice = |mark: Mark| {
        let range = scheme.symbol_range(mark)?;
        Some(Slice { mark, first: range.start, symbols: written(&word[range]) })
    };
    let coded = scheme.check() == CheckRule::Mother;
    let encoded = Encoded {
        schema: "microstamp.code/1",
        scheme: scheme.name().to_owned(),
        code: scheme.text(&word),
        prefix: coded.then(|| written(&word[..2])),
        symbols: written(&word),
        marks: scheme.marks().into_iter().filter_map(slice).collect(),
    };
    if input.json {
        return print_json(&encoded, Exit::Done);
    }
    let mut text = format!("{}\n", encoded.code);
    for slice in &encoded.marks {
        let last = slice.first + slice.symbols.len() - 1;
        let _ = writeln!(text, "{:10} symbols {:2} to {last:2}  {}", slice.mark, slice.first, slice.symbols);
    }
    print_line(text.trim_end())?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Checked {
    schema: &'static str,
    scheme: String,
    valid: bool,
    code: Option<String>,
    nearest: Vec<String>,
}

fn check(input: &Input) -> Result<Exit, Failure> {
    let scheme = scheme(&input.scheme)?;
    let answer = |code, nearest| Checked {
        schema: "microstamp.code-check/1",
        scheme: scheme.name().to_owned(),
        valid: Option::is_some(&code),
        code,
        nearest,
    };
    let (checked, exit, text) = match scheme.word(&input.text) {
        Ok(word) => {
            let code = scheme.text(&word);
            let text = format!("{code} is a valid code of {}", scheme.name());
            (answer(Some(code), Vec::new()), Exit::Done, text)
        }
        Err(CodeError::Check { typed, nearest }) => {
            let text = CodeError::Check { typed, nearest: nearest.clone() }.to_string();
            (answer(None, nearest), Exit::Negative, text)
        }
        Err(error) => return Err(Exit::BadInput.because(error)),
    };
    if input.json {
        return print_json(&checked, exit);
    }
    print_line(text)?;
    Ok(exit)
}

#[derive(Serialize)]
struct Restored {
    schema: &'static str,
    scheme: String,
    candidates: Vec<Restoration>,
    other: f64,
    margin: usize,
}

#[derive(Serialize)]
struct Restoration {
    code: String,
    posterior: f64,
}

/// The chance that a character was typed wrongly, for the posteriors of `decode`.
const MISREAD: f32 = 0.02;

/// The posterior from which a code counts as restored.
const RESTORED: f64 = 0.99;

fn restore(input: &Input) -> Result<Exit, Failure> {
    let scheme = scheme(&input.scheme)?;
    let decoding = read_symbols(&scheme, &input.text)?;
    let restored = Restored {
        schema: "microstamp.code-decode/1",
        scheme: scheme.name().to_owned(),
        candidates: decoding
            .candidates
            .iter()
            .map(|candidate| Restoration {
                code: scheme.text(&candidate.word),
                posterior: candidate.posterior,
            })
            .collect(),
        other: decoding.other,
        margin: decoding.margin,
    };
    let sure = restored.candidates.first().is_some_and(|best| best.posterior >= RESTORED);
    let exit = if sure { Exit::Done } else { Exit::Negative };
    if input.json {
        return print_json(&restored, exit);
    }
    let mut text = String::new();
    for candidate in restored.candidates.iter().take(if sure { 1 } else { 20 }) {
        let _ = writeln!(text, "{}  {:.6}", candidate.code, candidate.posterior);
    }
    let _ = write!(text, "other      {:.6}", restored.other);
    print_line(text)?;
    Ok(exit)
}

/// Every legible character is evidence that is wrong with a small chance.
fn read_symbols(scheme: &Scheme, text: &str) -> Result<Decoding, Failure> {
    let characters: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let drawn = scheme.symbol_range(Mark::Characters).map_or(0, |range| range.len());
    let as_drawn = characters.len() == drawn && drawn < scheme.length();
    if !as_drawn && characters.len() != scheme.length() {
        return Err(Exit::BadInput.because(format!(
            "`{text}` has {} characters, not {drawn} or {}\nhint: write `?` for what cannot be read",
            characters.len(),
            scheme.length()
        )));
    }
    let alphabet = scheme.alphabet();
    let wrong = (MISREAD / (alphabet.len() - 1) as f32).ln();
    let mut evidence = Vec::new();
    for (index, &character) in characters.iter().enumerate().filter(|(_, c)| **c != '?') {
        let meant = match Symbol::from_char(character) {
            Some(symbol) if scheme.check() == CheckRule::Mother => symbol.to_char(),
            _ => character.to_ascii_uppercase(),
        };
        let Some(value) = alphabet.iter().position(|&c| c == meant) else {
            let allowed: String = alphabet.iter().collect();
            return Err(Exit::BadInput.because(format!(
                "`{character}` is not a character of {}\nhint: those are {allowed}",
                scheme.name()
            )));
        };
        let whitening = if as_drawn { usize::from(scheme.whitening(index)) } else { 0 };
        let mut log_likelihoods = vec![wrong; alphabet.len()];
        log_likelihoods[value ^ whitening] = (1.0 - MISREAD).ln();
        evidence.push(SymbolEvidence { index, log_likelihoods, erased: f32::NEG_INFINITY });
    }
    decode_symbols(scheme, &evidence, &DecodeOptions::default()).or_exit(Exit::BadInput, "cannot decode")
}

fn scheme(name: &str) -> Result<Scheme, Failure> {
    if let Ok(scheme) = Scheme::by_name(name) {
        return Ok(scheme);
    }
    let path = std::path::Path::new(name);
    if !path.exists() {
        return Err(Exit::BadInput.because(symbology::SchemeError::Name(name.to_owned())));
    }
    Scheme::from_toml(&read_text(path)?).or_exit(Exit::BadInput, format!("`{name}`"))
}

fn print_json(value: &impl Serialize, exit: Exit) -> Result<Exit, Failure> {
    let line = serde_json::to_string(value).or_exit(Exit::Environment, "cannot write JSON")?;
    print_line(line)?;
    Ok(exit)
}
