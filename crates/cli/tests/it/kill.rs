//! `kill -9` at random moments during import, issue and trace under load: nothing acknowledged is lost, no code is given
//! out twice, log and tables agree afterwards.
//!
//! Twelve kills in a plain run; `MICROSTAMP_KILLS=200 cargo test -p cli --test it kill` for the whole campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use registry::names::Serial;
use registry::{Books, FirearmKey};
use serde_json::Value;

const MODEL: &str = "M9";
/// Firearms or rows of one run.
const RUN: usize = 1_500;
/// Traces asked at the same time.
const ASKERS: usize = 3;

fn microstamp(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("microstamp"));
    command.current_dir(folder).env("USER", "clerk").args(arguments).stderr(Stdio::null());
    command
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = microstamp(folder, arguments).stderr(Stdio::piped()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {out}{err}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the books acknowledged, and how many of the runs were cut off.
#[derive(Default)]
struct Campaign {
    /// Codes printed, with their serial numbers.
    codes: BTreeMap<String, String>,
    /// Serial numbers whose import ended well.
    imported: Vec<String>,
    /// Serial numbers whose import was cut off: all are in, or none.
    torn: Vec<(String, String)>,
    /// Log entries of the questions and answers that were printed.
    entries: BTreeSet<u64>,
    cut_off: usize,
}

/// How long each kind of run takes when nobody kills it, in order to kill it anywhere within.
struct Pace {
    issue: Duration,
    import: Duration,
    trace: Duration,
}

#[test]
fn killed_at_any_moment_nothing_is_lost() {
    let kills: usize = std::env::var("MICROSTAMP_KILLS").map_or(12, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, &["issuer", "init", "k7", "--prefix", "K7", "--name", "Example Arms (synthetic)"]);
    let mut random = ChaCha8Rng::seed_from_u64(kills as u64);
    let mut campaign = Campaign::default();
    let pace = Pace {
        issue: timed(|| campaign.issue(folder, "W", None)),
        import: timed(|| campaign.import(folder, "V", None)),
        trace: timed(|| campaign.trace(folder, None)),
    };
    for round in 0..kills {
        let mut moment = |whole: Duration| Some(whole.mul_f64(random.random_range(0.0..1.1)));
        match round % 3 {
            0 => campaign.issue(folder, &format!("A{round:04}-"), moment(pace.issue)),
            1 => campaign.import(folder, &format!("B{round:04}-"), moment(pace.import)),
            _ => campaign.trace(folder, moment(pace.trace)),
        }
        if round % 10 == 9 || round + 1 == kills {
            done(folder, &["issuer", "check", "k7"]);
        }
    }
    campaign.verify(folder);
    let public = fs::read_to_string(folder.join("k7/keys/log.pub")).unwrap();
    let whole = done(folder, &["audit", "fsck", "k7/log", "--key", public.trim()]);
    eprintln!(
        "{kills} kills, {} runs cut off; {} codes given out; {whole}",
        campaign.cut_off,
        campaign.codes.len()
    );
    assert!(campaign.cut_off > 0, "no run was cut off: the moments are chosen badly");
}

fn timed(run: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    run();
    begun.elapsed()
}

/// Lets a run go on until its moment, then kills it; tells whether it had ended well by itself.
fn until(children: &mut [Child], moment: Option<Duration>) -> Vec<bool> {
    if let Some(moment) = moment {
        std::thread::sleep(moment);
        for child in children.iter_mut() {
            // It may have ended; then there is nothing to kill.
            let _ = child.kill();
        }
    }
    children.iter_mut().map(|child| child.wait().unwrap().success()).collect()
}

impl Campaign {
    fn issue(&mut self, folder: &Path, series: &str, moment: Option<Duration>) {
        let (first, count) = (format!("{series}00001"), RUN.to_string());
        let run = ["issue", "--registry", "k7", "--model", MODEL, "--calibre", "9 mm Luger", "--json"];
        let run = [&run[..], &["--first", &first, "--count", &count, "--resume"]].concat();
        let printed = folder.join("issued");
        let child = microstamp(folder, &run).stdout(File::create(&printed).unwrap()).spawn().unwrap();
        let ended = until(&mut [child], moment)[0];
        self.cut_off += usize::from(!ended);
        let before = self.take_codes(&fs::read_to_string(&printed).unwrap());
        // The same run again gives the same codes, and the rest.
        let again = self.take_codes(&done(folder, &run));
        assert_eq!(again, RUN, "a run that goes on is whole");
        assert!(before <= RUN);
    }

    /// Notes the codes of whole lines; a code that was seen with another serial number ends the test.
    fn take_codes(&mut self, text: &str) -> usize {
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        for line in whole.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let (code, serial) = (line["code"].as_str().unwrap(), line["serial"].as_str().unwrap());
            let before = self.codes.insert(code.to_owned(), serial.to_owned());
            assert!(before.is_none_or(|before| before == serial), "code {code} was given out twice");
        }
        whole.lines().count()
    }

    fn import(&mut self, folder: &Path, series: &str, moment: Option<Duration>) {
        let mut table = "model,serial,type,calibre,country,made_on\n".to_owned();
        let serials: Vec<String> = (0..RUN).map(|row| format!("{series}{row:05}")).collect();
        table.extend(serials.iter().map(|serial| format!("{MODEL},{serial},pistol,9 mm,US,2024-01-02\n")));
        fs::write(folder.join("book.csv"), table).unwrap();
        let child = microstamp(folder, &["import", "--registry", "k7", "book.csv"]).spawn().unwrap();
        if until(&mut [child], moment)[0] {
            self.imported.extend(serials);
        } else {
            self.cut_off += 1;
            self.torn.push((serials[0].clone(), serials[RUN - 1].clone()));
        }
    }

    /// Several ask at the same time, each several times; all are killed at one moment.
    fn trace(&mut self, folder: &Path, moment: Option<Duration>) {
        let codes: Vec<&String> = self.codes.keys().take(ASKERS).collect();
        let ask = |number: usize| {
            let question =
                ["trace", codes[number], "--local", "k7", "--ori", "CA0194200", "--case", "26-0001"];
            let question = [&question[..], &["--json", "--reason", "case recovered at a scene"]].concat();
            let answer = File::create(folder.join(format!("answer-{number}"))).unwrap();
            microstamp(folder, &question).stdout(answer).spawn().unwrap()
        };
        let mut askers: Vec<Child> = (0..ASKERS).map(ask).collect();
        let ended = until(&mut askers, moment);
        self.cut_off += ended.iter().filter(|ended| !**ended).count();
        for number in 0..ASKERS {
            let text = fs::read_to_string(folder.join(format!("answer-{number}"))).unwrap();
            let Ok(answer) = serde_json::from_str::<Value>(&text) else { continue };
            for place in ["question", "answer"] {
                let new = self.entries.insert(answer["log"][place].as_u64().unwrap());
                assert!(new, "two acts have one log entry: {answer}");
            }
        }
    }

    /// Looks everything up that was acknowledged.
    fn verify(&self, folder: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let books = Books::open(&folder.join("k7"), Timestamp::now()).await.unwrap();
            let key = |serial: &str| FirearmKey {
                licence: books.issuer().licence,
                model: MODEL.parse().unwrap(),
                serial: serial.parse::<Serial>().unwrap(),
            };
            for code in self.codes.keys() {
                assert!(books.issued(code.parse().unwrap()).await.unwrap().is_some(), "code {code} is lost");
            }
            let issued: u32 = books.blocks().await.unwrap().iter().map(|block| block.issued).sum();
            assert_eq!(issued as usize, self.codes.len(), "every code issued was given out");
            for serial in self.imported.iter().step_by(100) {
                assert!(books.history(&key(serial)).await.unwrap().is_some(), "{serial} is lost");
            }
            for (first, last) in &self.torn {
                let (first, last) = (books.history(&key(first)).await, books.history(&key(last)).await);
                assert_eq!(first.unwrap().is_some(), last.unwrap().is_some(), "half a table was taken");
            }
            let found = books.reconcile().await.unwrap();
            assert!(found.altered.is_empty() && found.unexplained.is_empty(), "{found:?}");
            assert!(
                self.entries.iter().all(|entry| *entry < found.log_entries),
                "an answer is not in the log"
            );
        });
    }
}
