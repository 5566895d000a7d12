//! Whose signatures are enough: the trust policy file (C2SP `tlog-policy`).

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use crate::{KeyKind, NoteError, SignedCheckpoint, VerifierKey};

/// Most logs, witnesses and groups that a policy may name.
const MAX_LINES: usize = 256;

/// Known logs, known witnesses, and which of them must have signed.
///
/// Keys of one name are one witness's: a witness that signs with Ed25519 and with ML-DSA-44 has a `witness` line for each key, and
/// a group of both (`all` asks for both signatures, `any` for one). It counts once: a group that asks for several of its members
/// holds no witness twice.
///
/// ```
/// use transparency::{Policy, SigningKey};
/// let log = SigningKey::log("issuer.example/log", &[1; 32]).unwrap();
/// let makers = SigningKey::witness("makers.example/w", &[2; 32]).unwrap();
/// let defence = SigningKey::witness("defence.example/w", &[3; 32]).unwrap();
/// let text = format!(
///     "log {}\nwitness makers {}\nwitness defence {}\ngroup both all makers defence\nquorum both\n",
///     log.verifier(), makers.verifier(), defence.verifier()
/// );
/// let policy: Policy = text.parse().unwrap();
/// assert_eq!(policy.logs().len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, VerifierKey)>,
    rules: BTreeMap<String, Rule>,
    quorum: Option<String>,
}

/// What a policy found in a checkpoint it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Name of the log that signed.
    pub log: String,
    /// Witnesses that cosigned, each once, also one that did with two keys: the name that the policy gives the first of them, and
    /// the earlier time in seconds since 1970-01-01 UTC.
    pub witnesses: Vec<(String, u64)>,
    /// Those of them that cosigned with an ML-DSA-44 key.
    pub ml_dsa: Vec<String>,
    /// By when a quorum of them had cosigned, and the time from which on there is a quorum that cosigned: too few liars about the
    /// time to be a quorum make neither the first earlier nor the second later. `None` where the policy asks for no witness.
    pub span: Option<(u64, u64)>,
}

/// Why a policy cannot be read, or does not accept a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The file breaks the format.
    #[error("line {line} of the policy: {reason}")]
    Malformed {
        /// Counted from 1; the line after the last if something is missing.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// A signature of the checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The checkpoint is of a log the policy does not know.
    #[error("the policy knows no log `{0}`\nhint: add its key to the policy file, from a source you trust")]
    UnknownLog(String),
    /// Good signatures, but not enough of them.
    #[error(
        "quorum `{quorum}` is not met: cosigned by {witnesses:?}\nhint: ask the log for a newer checkpoint"
    )]
    NoQuorum {
        /// Name of the quorum.
        quorum: String,
        /// Witnesses that did cosign.
        witnesses: Vec<String>,
    },
    /// A signature by a key outside the policy, or a second one by the same key, where none may be.
    #[error(
        "a signature by `{0}` does not belong here: unknown key, or the key signed twice\nhint: the policy needs every key that \
         signed, of a witness that signs with Ed25519 and ML-DSA-44 both"
    )]
    Stray(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Witness(usize),
    Group { need: usize, members: Vec<String> },
}

impl Policy {
    /// A policy that trusts one log and asks for no witness.
    ///
    /// # Errors
    /// [`NoteError::BadKey`] if the key is no log's key.
    pub fn log_alone(log: VerifierKey) -> Result<Self, NoteError> {
        if log.kind() != KeyKind::Log {
            return Err(NoteError::BadKey("a log line needs a log's key"));
        }
        Ok(Self { logs: vec![log], witnesses: Vec::new(), rules: BTreeMap::new(), quorum: None })
    }

    /// The same witnesses and quorum, for a log that somebody else names.
    #[must_use]
    pub fn for_log(&self, log: VerifierKey) -> Self {
        Self { logs: vec![log], ..self.clone() }
    }

    /// Keys of the known logs.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// Known witnesses: name within the policy, and key.
    pub fn witnesses(&self) -> &[(String, VerifierKey)] {
        &self.witnesses
    }

    /// Checks that a known log signed the checkpoint and that a quorum of witnesses cosigned it.
    ///
    /// Signatures by unknown keys are ignored; a bad signature that claims to be by a known key rejects the whole
    /// checkpoint (C2SP `signed-note`).
    ///
    /// # Errors
    /// [`PolicyError`] says what is missing.
    pub fn check(&self, signed: &SignedCheckpoint) -> Result<Approval, PolicyError> {
        let origin = &signed.checkpoint.origin;
        let mut known = self.logs.iter().filter(|log| log.name() == origin).peekable();
        if known.peek().is_none() {
            return Err(PolicyError::UnknownLog(origin.clone()));
        }
        let mut outcome = Err(NoteError::Unsigned(origin.clone()));
        for log in known {
            match signed.verify(log) {
                Err(NoteError::Unsigned(_)) => {}
                Err(bad) => return Err(bad.into()),
                Ok(()) => outcome = Ok(()),
            }
        }
        outcome?;
        let mut times = vec![None; self.witnesses.len()];
        for (time, (_, key)) in times.iter_mut().zip(&self.witnesses) {
            *time = signed.cosigned_at(key)?;
        }
        match &self.quorum {
            Some(quorum) if !self.holds(quorum, &times) => {
                let named = self.witnesses.iter().zip(&times).filter(|(_, time)| time.is_some());
                let witnesses = named.map(|((name, _), _)| name.clone()).collect();
                Err(PolicyError::NoQuorum { quorum: quorum.clone(), witnesses })
            }
            quorum => {
                let span = quorum.as_ref().and_then(|quorum| self.span(quorum, &times));
                let (witnesses, ml_dsa) = self.signers(&times);
                Ok(Approval { log: origin.clone(), witnesses, ml_dsa, span })
            }
        }
    }

    /// Who signed, each witness once, and who of them with ML-DSA-44.
    fn signers(&self, times: &[Option<u64>]) -> (Vec<(String, u64)>, Vec<String>) {
        let (mut signers, mut ml_dsa): (Vec<(&str, String, u64)>, Vec<String>) = Default::default();
        for ((name, key), time) in self.witnesses.iter().zip(times) {
            let Some(time) = *time else { continue };
            let place = signers.iter().position(|(known, ..)| *known == key.name()).unwrap_or_else(|| {
                signers.push((key.name(), name.clone(), time));
                signers.len() - 1
            });
            let (_, first, earliest) = &mut signers[place];
            *earliest = time.min(*earliest);
            if key.kind() == KeyKind::WitnessMlDsa44 && !ml_dsa.contains(first) {
                ml_dsa.push(first.clone());
            }
        }
        (signers.into_iter().map(|(_, name, time)| (name, time)).collect(), ml_dsa)
    }

    /// [`Policy::check`], and every signature line must be by a known key, each key once: nothing in the note
    /// may be altered without notice. This is the check for evidence.
    ///
    /// # Errors
    /// [`PolicyError::Stray`] for a line that would be ignored otherwise.
    pub fn check_strictly(&self, signed: &SignedCheckpoint) -> Result<Approval, PolicyError> {
        let known = self.logs.iter().filter(|log| log.name() == signed.checkpoint.origin);
        let known: Vec<_> = known.chain(self.witnesses.iter().map(|(_, key)| key)).collect();
        let lines = &signed.note.signatures;
        for (place, line) in lines.iter().enumerate() {
            let again =
                lines[..place].iter().any(|other| (&other.name, other.key_id) == (&line.name, line.key_id));
            if again || !known.iter().any(|key| key.matches(line)) {
                return Err(PolicyError::Stray(line.name.clone()));
            }
        }
        self.check(signed)
    }

    /// See [`Approval::span`]; `None` when the quorum does not hold.
    fn span(&self, quorum: &str, times: &[Option<u64>]) -> Option<(u64, u64)> {
        let among = |fits: &dyn Fn(u64) -> bool| {
            let kept: Vec<_> = times.iter().map(|time| time.filter(|time| fits(*time))).collect();
            self.holds(quorum, &kept)
        };
        let mut all: Vec<u64> = times.iter().copied().flatten().collect();
        all.sort_unstable();
        let by = all.iter().find(|end| among(&|time| time <= **end))?;
        let from = all.iter().rev().find(|begin| among(&|time| time >= **begin))?;
        Some((*by, *from))
    }

    fn holds(&self, name: &str, times: &[Option<u64>]) -> bool {
        match &self.rules[name] {
            Rule::Witness(place) => times[*place].is_some(),
            Rule::Group { need, members } => {
                members.iter().filter(|member| self.holds(member, times)).count() >= *need
            }
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        for (line, content) in (1..).zip(text.split('\n')) {
            reader.read(content).map_err(|reason| PolicyError::Malformed { line, reason })?;
        }
        let line = text.split('\n').count();
        let quorum = reader.quorum.ok_or(PolicyError::Malformed { line, reason: "no quorum line" })?;
        let quorum = Some(quorum).filter(|name| name != "none");
        Ok(Self { logs: reader.logs, witnesses: reader.witnesses, rules: reader.rules, quorum })
    }
}

/// A policy while it is read.
#[derive(Default)]
struct Reader {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(String, VerifierKey)>,
    rules: BTreeMap<String, Rule>,
    quorum: Option<String>,
    taken: Vec<String>,
}

impl Reader {
    fn read(&mut self, line: &str) -> Result<(), &'static str> {
        if line.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return Err("a control character");
        }
        let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            _ if self.logs.len() + self.rules.len() >= MAX_LINES => {
                Err("more than 256 logs, witnesses and groups")
            }
            ["log", key] | ["log", key, _] => self.log(key),
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, need, members @ ..] => self.group(name, need, members),
            ["quorum", name] => self.quorum(name),
            _ => Err("expected log, witness, group or quorum with their parts"),
        }
    }

    fn log(&mut self, key: &str) -> Result<(), &'static str> {
        let key: VerifierKey = key.parse().map_err(|_| "the log's key cannot be read")?;
        if key.kind() != KeyKind::Log {
            return Err("a log line needs a log's key (signature type 1)");
        }
        if self.logs.iter().any(|log| log.public_bytes() == key.public_bytes()) {
            return Err("this log's key was given already");
        }
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), &'static str> {
        let key: VerifierKey = key.parse().map_err(|_| "the witness's key cannot be read")?;
        if key.kind() == KeyKind::Log {
            return Err("a witness line needs a witness's key (signature type 4 or 6)");
        }
        if self.witnesses.iter().any(|(_, witness)| witness.public_bytes() == key.public_bytes()) {
            return Err("this witness's key was given already");
        }
        self.define(name, Rule::Witness(self.witnesses.len()))?;
        self.witnesses.push((name.to_owned(), key));
        Ok(())
    }

    fn group(&mut self, name: &str, need: &str, members: &[&str]) -> Result<(), &'static str> {
        for (place, member) in members.iter().enumerate() {
            if !self.rules.contains_key(*member) {
                return Err("a member is not defined above");
            }
            if self.taken.iter().any(|taken| taken == member) || members[..place].contains(member) {
                return Err("a member stands in a group already");
            }
        }
        let need = match need {
            "all" => members.len(),
            "any" => 1,
            number => number.parse().map_err(|_| "expected all, any or a number")?,
        };
        if need == 0 || need > members.len() {
            return Err("the number must lie between 1 and the count of members");
        }
        let plain = members.iter().all(|member| matches!(self.rules[*member], Rule::Witness(_)));
        let once = need == 1 || (plain && need == members.len());
        let mut seen = BTreeSet::new();
        if !once && members.iter().any(|member| !self.keys_of(member).into_iter().all(|key| seen.insert(key)))
        {
            return Err(
                "a witness would count twice: put its keys in a group of their own, and that in here",
            );
        }
        let members: Vec<_> = members.iter().map(|member| (*member).to_owned()).collect();
        self.taken.extend(members.iter().cloned());
        self.define(name, Rule::Group { need, members })
    }

    /// Names of the keys in a witness or group that is defined.
    fn keys_of(&self, name: &str) -> BTreeSet<&str> {
        match &self.rules[name] {
            Rule::Witness(place) => BTreeSet::from([self.witnesses[*place].1.name()]),
            Rule::Group { members, .. } => members.iter().flat_map(|member| self.keys_of(member)).collect(),
        }
    }

    fn quorum(&mut self, name: &str) -> Result<(), &'static str> {
        if self.quorum.is_some() {
            return Err("a second quorum line");
        }
        if name != "none" && !self.rules.contains_key(name) {
            return Err("the quorum is not defined above");
        }
        self.quorum = Some(name.to_owned());
        Ok(())
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), &'static str> {
        if name == "none" || self.rules.contains_key(name) {
            return Err("the name is taken");
        }
        self.rules.insert(name.to_owned(), rule);
        Ok(())
    }
}
