//! The witness: sees that a log only grows, and says so (C2SP `tlog-witness`).

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{
    Checkpoint, ConsistencyProof, Hash, LogError, Note, NoteError, ProofError, Resource, SignedCheckpoint,
    SigningKey, StoreError, TileStore, Tree, VerifierKey, checkpoint::parse_decimal,
};

/// Most hashes a consistency proof can have.
const MAX_PROOF: usize = 63;

/// The body of an `add-checkpoint` request. `Display` and [`AddCheckpoint::parse`] are its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the newest tree the witness cosigned, as the log believes; 0 if none.
    pub old_size: u64,
    /// Consistency proof from the old size; empty if that is 0.
    pub proof: Vec<Hash>,
    /// The new checkpoint, signed by the log.
    pub signed: SignedCheckpoint,
}

/// Why a witness does not cosign. [`Refusal::status`] is the HTTP status of the specification.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// 400: the request breaks the format, or its old size is larger than its new one.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// 403: no good signature by the log.
    #[error("forbidden: {0}")]
    Forbidden(NoteError),
    /// 404: this witness does not watch that log.
    #[error("this witness does not watch `{0}`")]
    UnknownLog(String),
    /// 409: the old size is not the size this witness cosigned last.
    #[error("the newest tree cosigned here has {0} entries\nhint: prove consistency from that size")]
    Conflict(u64),
    /// 422: the new tree does not extend the old one. Keep the request: it may prove that the log lied.
    #[error("the tree does not extend the one cosigned before: {0}")]
    Inconsistent(ProofError),
    /// 500: the witness cannot keep its memory, so it signs nothing.
    #[error(transparent)]
    Store(StoreError),
}

/// An answer of the witness, ready for any HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Signature lines (200), the known size (409), or the reason in words.
    pub body: String,
}

/// A witness: its keys and the logs it watches. It holds no state; what it cosigned last lies in a store per log.
///
/// ```
/// use transparency::{AddCheckpoint, Log, MemoryStore, SigningKey, Witness};
/// let key = SigningKey::log("issuer.example/log", &[1; 32]).unwrap();
/// let logs = vec![key.verifier().clone()];
/// let keys = vec![SigningKey::witness("witness.example/w", &[2; 32]).unwrap()];
/// let witness = Witness { keys, logs };
///
/// let mut log = Log::create(MemoryStore::default(), key).unwrap();
/// log.append_batch(&["entry"]).unwrap();
/// let request = AddCheckpoint::new(&log.tree(), log.checkpoint(), 0).unwrap();
/// let mut memory = MemoryStore::default(); // one per log, a folder in earnest
/// let answer = witness.add_checkpoint(&mut memory, request.to_string().as_bytes(), 1_700_000_000);
/// assert_eq!(answer.status, 200);
/// ```
#[derive(Debug, Clone)]
pub struct Witness {
    /// Keys the witness signs with, all of them each time: Ed25519, ML-DSA-44, or both.
    pub keys: Vec<SigningKey>,
    /// Keys of the logs it watches.
    pub logs: Vec<VerifierKey>,
}

impl AddCheckpoint {
    /// A request for a log's checkpoint, with the proof from `old_size` made out of its tree.
    ///
    /// # Errors
    /// When the old size is larger than the tree, or a tile is missing.
    pub fn new<S: TileStore>(
        tree: &Tree<'_, S>,
        signed: &SignedCheckpoint,
        old_size: u64,
    ) -> Result<Self, LogError> {
        let proof = if old_size == 0 { Vec::new() } else { tree.consistency_proof(old_size)?.hashes };
        Ok(Self { old_size, proof, signed: signed.clone() })
    }

    /// Parses a request body. Nothing is verified yet.
    ///
    /// # Errors
    /// [`Refusal::BadRequest`].
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let bad = |reason: &str| Refusal::BadRequest(reason.to_owned());
        let end = body.windows(2).position(|pair| pair == b"\n\n").ok_or_else(|| bad("no empty line"))?;
        let head = std::str::from_utf8(&body[..end]).map_err(|_| bad("not UTF-8"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_decimal);
        let old_size = old.ok_or_else(|| bad("the first line is not `old <size>`"))?;
        let proof: Option<Vec<_>> = lines.map(Hash::from_base64).collect();
        let proof = proof.ok_or_else(|| bad("a proof line is not base64 of 32 bytes"))?;
        if proof.len() > MAX_PROOF {
            return Err(bad("more than 63 proof lines"));
        }
        let signed = SignedCheckpoint::parse(&body[end + 2..]);
        let signed = signed.map_err(|error| Refusal::BadRequest(error.to_string()))?;
        Ok(Self { old_size, proof, signed })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.signed)
    }
}

impl Refusal {
    /// HTTP status of C2SP `tlog-witness`.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Forbidden(_) => 403,
            Self::UnknownLog(_) => 404,
            Self::Conflict(_) => 409,
            Self::Inconsistent(_) => 422,
            Self::Store(_) => 500,
        }
    }
}

impl From<Refusal> for WitnessAnswer {
    fn from(refusal: Refusal) -> Self {
        let (content_type, body) = match &refusal {
            Refusal::Conflict(size) => ("text/x.tlog.size", format!("{size}\n")),
            other => ("text/plain; charset=utf-8", format!("{other}\n")),
        };
        Self { status: refusal.status(), content_type, body }
    }
}

impl Witness {
    /// Answers an `add-checkpoint` request; `store` holds the newest checkpoint of that log which this witness
    /// cosigned, `time` is now, in seconds since 1970-01-01 UTC.
    ///
    /// The new checkpoint is durable in the store, by compare-and-swap, before the answer is returned, so two
    /// requests at once can never make the witness sign a roll-back.
    pub fn add_checkpoint<S: TileStore>(&self, store: &mut S, body: &[u8], time: u64) -> WitnessAnswer {
        match self.swap(store, body, time) {
            Ok(body) => WitnessAnswer { status: 200, content_type: "text/plain; charset=utf-8", body },
            Err(refusal) => refusal.into(),
        }
    }

    /// Where the memory of a log lies below the witness's folder, and below its monitoring URL: the SHA-256 of the
    /// log's origin in hexadecimal.
    ///
    /// ```
    /// let name = transparency::Witness::memory_name("example.com/log");
    /// assert_eq!(name.len(), 64);
    /// ```
    pub fn memory_name(origin: &str) -> String {
        hex::encode(Sha256::digest(origin))
    }

    /// Decides on a request without touching any store: the checkpoint to keep, with the log's signature and
    /// the witness's own.
    ///
    /// # Errors
    /// [`Refusal`], in the order of the specification: 404, 403, 400, 409, 422.
    pub fn decide(
        &self,
        request: &AddCheckpoint,
        latest: Option<&Checkpoint>,
        time: u64,
    ) -> Result<SignedCheckpoint, Refusal> {
        let new = &request.signed.checkpoint;
        let log_lines = self.check_log(&request.signed)?;
        if request.old_size > new.size {
            return Err(Refusal::BadRequest("the old size is larger than the checkpoint's".to_owned()));
        }
        let known = latest.map_or(0, |latest| latest.size);
        if request.old_size != known {
            return Err(Refusal::Conflict(known));
        }
        check_growth(request, latest).map_err(Refusal::Inconsistent)?;
        let mut kept = request.signed.clone();
        kept.note.signatures = log_lines;
        let cosign = |key| request.signed.cosign(key, time);
        let own = self.keys.iter().map(cosign).collect::<Result<Vec<_>, _>>();
        kept.note.signatures.extend(own.map_err(|error| Refusal::BadRequest(error.to_string()))?);
        Ok(kept)
    }

    fn swap<S: TileStore>(&self, store: &mut S, body: &[u8], time: u64) -> Result<String, Refusal> {
        let request = AddCheckpoint::parse(body)?;
        let (old, latest) = remembered(store)?;
        // A store that holds another log's memory would lose it: this is a fault of the caller, not of the log.
        if latest.as_ref().is_some_and(|latest| latest.origin != request.signed.checkpoint.origin) {
            return Err(Refusal::UnknownLog(request.signed.checkpoint.origin));
        }
        let kept = self.decide(&request, latest.as_ref(), time)?;
        match store.swap_checkpoint(old.as_deref(), kept.to_string().as_bytes()) {
            Ok(()) => {}
            Err(StoreError::Conflict) => {
                let (_, newer) = remembered(store)?;
                return Err(Refusal::Conflict(newer.map_or(0, |newer| newer.size)));
            }
            Err(error) => return Err(Refusal::Store(error)),
        }
        let own = kept
            .note
            .signatures
            .iter()
            .filter(|line| self.keys.iter().any(|key| key.verifier().matches(line)));
        Ok(own.map(ToString::to_string).collect())
    }

    /// The lines by known keys of the log, if at least one is there and none is bad.
    fn check_log(&self, signed: &SignedCheckpoint) -> Result<Vec<crate::Signature>, Refusal> {
        let origin = &signed.checkpoint.origin;
        let known: Vec<_> = self.logs.iter().filter(|log| log.name() == origin).collect();
        if known.is_empty() {
            return Err(Refusal::UnknownLog(origin.clone()));
        }
        let mut lines = Vec::new();
        for log in known {
            match signed.verify(log) {
                Ok(()) => {
                    lines.extend(signed.note.signatures.iter().filter(|line| log.matches(line)).cloned());
                }
                Err(NoteError::Unsigned(_)) => {}
                Err(bad) => return Err(Refusal::Forbidden(bad)),
            }
        }
        if lines.is_empty() {
            Err(Refusal::Forbidden(NoteError::Unsigned(origin.clone())))
        } else {
            Ok(lines)
        }
    }
}

impl SignedCheckpoint {
    /// Adds the good signature lines of a witness's answer, by keys in `witnesses`, and ignores all others.
    /// A newer cosignature replaces an older one by the same key. Returns how many were taken.
    ///
    /// # Errors
    /// [`NoteError`] if the answer is not made of signature lines, or a line by a known key is bad: nothing is taken then, so that
    /// a witness that signs with two keys, and once wrongly, has not cosigned.
    pub fn add_cosignatures(&mut self, answer: &str, witnesses: &[VerifierKey]) -> Result<usize, NoteError> {
        let together = Note::parse(format!("{}\n{answer}", self.note.text).as_bytes())?;
        let mut good = Vec::new();
        for line in together.signatures {
            let Some(key) = witnesses.iter().find(|key| key.matches(&line)) else { continue };
            let alone = Note { text: self.note.text.clone(), signatures: vec![line.clone()] };
            Self { checkpoint: self.checkpoint.clone(), note: alone }.cosigned_at(key)?;
            good.push((key, line));
        }
        let count = good.len();
        for (key, line) in good {
            self.note.signatures.retain(|old| !key.matches(old));
            self.note.signatures.push(line);
        }
        Ok(count)
    }
}

/// What the witness cosigned last for the log of this store: its bytes, and its text.
fn remembered<S: TileStore>(store: &S) -> Result<(Option<Vec<u8>>, Option<Checkpoint>), Refusal> {
    let bytes = store.read(&Resource::Checkpoint).map_err(Refusal::Store)?;
    let latest = bytes.as_deref().map(SignedCheckpoint::parse).transpose();
    let latest = latest.map_err(|_| {
        let source = std::io::Error::other("the witness's own memory of this log is damaged");
        Refusal::Store(StoreError::Environment { action: "read", path: "checkpoint".to_owned(), source })
    })?;
    Ok((bytes, latest.map(|latest| latest.checkpoint)))
}

/// Whether the new tree extends the latest one; the sizes match already.
fn check_growth(request: &AddCheckpoint, latest: Option<&Checkpoint>) -> Result<(), ProofError> {
    let new = &request.signed.checkpoint;
    if new.size == 0 && new.root != Hash::empty_tree() {
        return Err(ProofError::WrongRoot { computed: Hash::empty_tree(), claimed: new.root });
    }
    match latest.filter(|latest| latest.size > 0) {
        None if request.proof.is_empty() => Ok(()),
        None => Err(ProofError::WrongLength { found: request.proof.len(), expected: 0 }),
        Some(latest) => {
            let hashes = request.proof.clone();
            ConsistencyProof { old_size: latest.size, new_size: new.size, hashes }
                .verify(&latest.root, &new.root)
        }
    }
}
