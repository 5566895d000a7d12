//! Where the readings of a batch are gathered: a CSV table or JSON lines, complete up to the last line after any crash.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use reader::Reading;
use sha2::{Digest as _, Sha256};

use super::question::Question;
use crate::exit::{Exit, Failure, OrExit as _};
use crate::files;
use crate::surfaces::Loaded;
use crate::wire::reading::ReadingJson;

const HEADER: [&str; 13] = [
    "file",
    "sha256",
    "scheme",
    "outcome",
    "code",
    "posterior",
    "best_candidate",
    "best_posterior",
    "other",
    "bits_carried",
    "margin",
    "warnings",
    "settings",
];

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Csv,
    JsonLines,
}

/// An open table.
pub(crate) struct Table {
    path: PathBuf,
    file: File,
    form: Form,
    /// Questions that stand in it already: their files, the hashes of these, and how they were read.
    pub(crate) done: HashSet<String>,
}

impl Table {
    /// Opens a new table, or one that is gone on with. A line that was cut short is taken off first.
    pub(crate) fn open(path: &Path, resume: bool) -> Result<Self, Failure> {
        let form = match files::extension(path).as_str() {
            "csv" => Form::Csv,
            "jsonl" | "ndjson" => Form::JsonLines,
            _ => {
                return Err(Exit::BadInput.because(format!(
                    "`{}` names no kind of table\nhint: end it in .csv or .jsonl",
                    path.display()
                )));
            }
        };
        if path.exists() && !resume {
            return Err(Exit::BadInput.because(format!(
                "`{}` is there already\nhint: `--resume` reads only what is missing in it; or name another file",
                path.display()
            )));
        }
        let cannot = || format!("cannot write `{}`", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .or_exit(Exit::Environment, cannot())?;
        let text = whole_lines(&mut file).or_exit(Exit::Environment, cannot())?;
        let done = done(&text, form)
            .or_exit(Exit::BadInput, format!("`{}` cannot be gone on with", path.display()))?;
        let mut table = Self { path: path.to_owned(), file, form, done };
        if text.is_empty() && form == Form::Csv {
            table.write(&row(HEADER.map(str::to_owned)))?;
        }
        Ok(table)
    }

    /// Adds one reading.
    pub(crate) fn add(
        &mut self,
        question: &[Loaded],
        reading: &Reading,
        settings: &str,
    ) -> Result<(), Failure> {
        let line = match self.form {
            Form::Csv => row(columns(question, reading, settings)),
            Form::JsonLines => {
                let json = ReadingJson::of(&question.iter().collect::<Vec<_>>(), reading).under(settings);
                let mut line = serde_json::to_vec(&json).or_exit(Exit::Environment, "cannot write JSON")?;
                line.push(b'\n');
                line
            }
        };
        self.write(&line)
    }

    fn write(&mut self, line: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(line)
            .or_exit(Exit::Environment, format!("cannot write `{}`", self.path.display()))
    }
}

/// The text up to the last line end; the file is cut there and stands at its end.
fn whole_lines(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    bytes.truncate(end);
    file.set_len(end as u64)?;
    file.seek(SeekFrom::Start(end as u64))?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn done(text: &str, form: Form) -> Result<HashSet<String>, String> {
    match form {
        Form::Csv => rows(text),
        Form::JsonLines => text.lines().map(inputs).collect(),
    }
}

fn rows(text: &str) -> Result<HashSet<String>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    if !text.is_empty() && reader.headers().map_err(|error| error.to_string())? != HEADER[..] {
        return Err("its first line is not that of a table of readings".to_owned());
    }
    reader
        .records()
        .map(|row| {
            let row = row.map_err(|error| error.to_string())?;
            let cell = |k: usize| row.get(k).unwrap_or_default();
            Ok(keyed([cell(0), cell(1), cell(HEADER.len() - 1)]))
        })
        .collect()
}

fn inputs(line: &str) -> Result<String, String> {
    let reading: serde_json::Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let files = reading["inputs"].as_array().ok_or("a line holds no reading")?;
    let all = |key: &str| {
        let texts: Vec<&str> = files.iter().filter_map(|input| input[key].as_str()).collect();
        texts.join(" + ")
    };
    Ok(keyed([&all("file"), &all("sha256"), reading["settings"].as_str().unwrap_or_default()]))
}

fn keyed(parts: [&str; 3]) -> String {
    parts.join("\n")
}

/// What stands for a question: its files and what they hold, each once, and how it is read. Nothing where one cannot be
/// opened.
pub(crate) fn key(question: &Question, settings: &str) -> Option<String> {
    let (mut files, mut hashes) = (Vec::new(), Vec::new());
    for file in &question.files {
        let hash = hex::encode(Sha256::digest(fs::read(file).ok()?));
        if !hashes.contains(&hash) {
            files.push(file.display().to_string());
            hashes.push(hash);
        }
    }
    Some(keyed([&files.join(" + "), &hashes.join(" + "), settings]))
}

fn columns(question: &[Loaded], reading: &Reading, settings: &str) -> [String; 13] {
    let best = reading.candidates.first();
    let files: Vec<_> = question.iter().map(|input| input.file.display().to_string()).collect();
    let hashes: Vec<_> = question.iter().map(|input| input.sha256.as_str()).collect();
    let warnings: Vec<_> = question
        .iter()
        .flat_map(|input| &input.warnings)
        .chain(&reading.warnings)
        .map(String::as_str)
        .collect();
    [
        files.join(" + "),
        hashes.join(" + "),
        reading.scheme.clone(),
        serde_json::to_value(reading.outcome)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
        reading.code.clone().unwrap_or_default(),
        reading.posterior.map(|posterior| posterior.to_string()).unwrap_or_default(),
        best.map(|best| best.code.clone()).unwrap_or_default(),
        best.map(|best| best.posterior.to_string()).unwrap_or_default(),
        reading.other.to_string(),
        format!("{:.1}", reading.bits_carried),
        reading.margin.to_string(),
        warnings.join("; "),
        settings.to_owned(),
    ]
}

fn row(cells: [String; 13]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells).expect("a row is written to memory");
    writer.into_inner().expect("a row is written to memory")
}
