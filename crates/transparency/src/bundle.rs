//! Evidence that verifies offline: one entry, or several in one file (C2SP `tlog-proof`).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    Approval, Commitment, Hash, InclusionProof, LogError, NoteError, Policy, PolicyError, ProofError, Salt,
    SignedCheckpoint, TileStore, Tree, VerifierKey, checkpoint::parse_decimal,
};

/// First line of a `tlog-proof`.
const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";
/// First line of a bundle.
const BUNDLE_HEADER: &str = "microstamp.bundle/1";
/// Largest file that is parsed, in bytes.
const LIMIT: usize = 64 << 20;
/// Most hashes an inclusion proof can have.
const MAX_PROOF: usize = 64;

/// Why evidence does not stand.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file breaks the format, or spells it in another way than the one there is.
    #[error("not a proof of an entry: {0}")]
    Malformed(&'static str),
    /// The file is too large.
    #[error("the file has {0} bytes, more than the 64 MiB that are read")]
    Limit(usize),
    /// The checkpoint is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The signatures are not those the policy asks for.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The inclusion proof does not lead from the record to the signed root.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The record and salt given are not those behind the entry.
    #[error("entry {0} is no commitment to this record and salt")]
    NotTheEntry(u64),
    /// The log could not be read while the proof was made.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// One record, its salt, and the proof that its commitment stands in a signed tree.
///
/// `Display` and [`EntryProof::parse`] are a C2SP `tlog-proof` file whose `extra` line holds the 32 bytes of the
/// salt followed by the record. There is exactly one spelling, and every byte of it is checked, so whoever changes
/// one byte is found out.
///
/// ```
/// use transparency::{Commitment, EntryProof, Log, MemoryStore, Policy, Salt, SigningKey};
/// let key = SigningKey::log("issuer.example/log", &[1; 32]).unwrap();
/// let policy = Policy::log_alone(key.verifier().clone()).unwrap();
/// let mut log = Log::create(MemoryStore::default(), key).unwrap();
/// let (salt, record) = (Salt::from_bytes([5; 32]), b"{\"kind\":\"trace\"}");
/// log.append_batch(&[Commitment::new(&salt, record)]).unwrap();
/// let file = log.entry_proof(0, &salt, record).unwrap().to_string();
/// let approval = EntryProof::parse(file.as_bytes()).unwrap().verify(&policy).unwrap();
/// assert_eq!(approval.log, "issuer.example/log");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryProof {
    /// Canonical bytes of the record.
    pub record: Vec<u8>,
    /// Its salt.
    pub salt: Salt,
    /// Where its commitment stands.
    pub inclusion: InclusionProof,
    /// The checkpoint with the log's signature and the witnesses' cosignatures.
    pub signed: SignedCheckpoint,
}

/// Several entry proofs in one file, e.g. a request, its approval and its answer.
///
/// `Display` and [`Bundle::parse`]: the line `microstamp.bundle/1`, a line `entries <count>`, then for each entry a
/// line `proof <bytes>` and so many bytes of `tlog-proof`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The proofs, in the order of the story they tell.
    pub entries: Vec<EntryProof>,
}

impl EntryProof {
    /// Makes the proof for entry `index` of a tree, which `signed` must cover; `opening` is salt and record.
    ///
    /// # Errors
    /// [`BundleError::NotTheEntry`] if salt and record are not behind that entry, or the log's error.
    pub fn new<S: TileStore>(
        tree: &Tree<'_, S>,
        signed: &SignedCheckpoint,
        index: u64,
        (salt, record): (&Salt, &[u8]),
    ) -> Result<Self, BundleError> {
        let leaf = Hash::leaf(Commitment::new(salt, record).as_ref());
        let inclusion = tree.inclusion_proof(index)?;
        inclusion.verify(&leaf, &signed.checkpoint.root).map_err(|_| BundleError::NotTheEntry(index))?;
        Ok(Self { record: record.to_vec(), salt: salt.clone(), inclusion, signed: signed.clone() })
    }

    /// Checks everything: the signatures against the policy, strictly, and the way from the record to the root.
    ///
    /// # Errors
    /// [`BundleError`] says what does not hold.
    pub fn verify(&self, policy: &Policy) -> Result<Approval, BundleError> {
        self.leads_to_the_root()?;
        Ok(policy.check_strictly(&self.signed)?)
    }

    /// Checks the way from the record to the root; no signature.
    fn leads_to_the_root(&self) -> Result<(), BundleError> {
        let leaf = Hash::leaf(Commitment::new(&self.salt, &self.record).as_ref());
        if self.inclusion.size != self.signed.checkpoint.size {
            return Err(BundleError::Malformed("the proof is for another size than the checkpoint"));
        }
        Ok(self.inclusion.verify(&leaf, &self.signed.checkpoint.root)?)
    }

    /// Parses a proof file. Nothing is verified yet.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] also for another spelling of the same content.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let text = text(bytes)?;
        let (head, note) = text.split_once("\n\n").ok_or(BundleError::Malformed("no empty line"))?;
        let signed = SignedCheckpoint::parse(note.as_bytes())?;
        let mut lines = head.split('\n');
        if lines.next() != Some(PROOF_HEADER) {
            return Err(BundleError::Malformed("the first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next().and_then(|line| STANDARD.decode(line.strip_prefix("extra ")?).ok());
        let extra =
            extra.ok_or(BundleError::Malformed("the second line is not `extra` with salt and record"))?;
        let (salt, record) = extra
            .split_first_chunk::<32>()
            .ok_or(BundleError::Malformed("the salt is shorter than 32 bytes"))?;
        let index = lines.next().and_then(|line| parse_decimal(line.strip_prefix("index ")?));
        let index = index.ok_or(BundleError::Malformed("the third line is not `index <number>`"))?;
        let hashes: Option<Vec<_>> = lines.take(MAX_PROOF + 1).map(Hash::from_base64).collect();
        let hashes = hashes.ok_or(BundleError::Malformed("a proof line is not base64 of 32 bytes"))?;
        let inclusion = InclusionProof { index, size: signed.checkpoint.size, hashes };
        let proof = Self { record: record.to_vec(), salt: Salt::from_bytes(*salt), inclusion, signed };
        same_bytes(&proof, text)?;
        Ok(proof)
    }
}

impl fmt::Display for EntryProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra = STANDARD.encode([self.salt.as_bytes(), self.record.as_slice()].concat());
        writeln!(f, "{PROOF_HEADER}\nextra {extra}\nindex {}", self.inclusion.index)?;
        self.inclusion.hashes.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.signed)
    }
}

impl Bundle {
    /// Checks every entry against the policy.
    ///
    /// All entries must be of one log and one checkpoint, so that together they tell of one state of it.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, policy: &Policy) -> Result<Approval, BundleError> {
        Ok(policy.check_strictly(self.hangs_together()?)?)
    }

    /// Checks all that takes no key: that every record leads to the root of one checkpoint, which is returned. Its signatures
    /// are for [`Bundle::verify`].
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn hangs_together(&self) -> Result<&SignedCheckpoint, BundleError> {
        let first = self.entries.first().ok_or(BundleError::Malformed("it has no entries"))?;
        for entry in &self.entries {
            if entry.signed != first.signed {
                return Err(BundleError::Malformed("its entries are proved against different checkpoints"));
            }
            entry.leads_to_the_root()?;
        }
        Ok(&first.signed)
    }

    /// Whether one of these witnesses cosigned its checkpoint.
    pub fn is_cosigned_by_one_of(&self, witnesses: &[VerifierKey]) -> bool {
        let signed = self.entries.first().map(|entry| &entry.signed);
        let signs =
            |key: &VerifierKey| signed.is_some_and(|signed| matches!(signed.cosigned_at(key), Ok(Some(_))));
        witnesses.iter().any(signs)
    }

    /// Parses a bundle. Nothing is verified yet.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] also for another spelling of the same content.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let all = text(bytes)?;
        let malformed = BundleError::Malformed("the bundle is cut off or its lengths do not fit");
        let parts = all.strip_prefix(BUNDLE_HEADER).and_then(|rest| rest.strip_prefix("\nentries "));
        let parts = parts.ok_or(BundleError::Malformed("the first lines are not those of a bundle"))?;
        let Some((_, mut rest)) = parts.split_once('\n') else { return Err(malformed) };
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let Some((proof, next)) = split_proof(rest) else { return Err(malformed) };
            entries.push(EntryProof::parse(proof.as_bytes())?);
            rest = next;
        }
        let bundle = Self { entries };
        same_bytes(&bundle, all)?;
        Ok(bundle)
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{BUNDLE_HEADER}\nentries {}", self.entries.len())?;
        for entry in &self.entries {
            let text = entry.to_string();
            write!(f, "proof {}\n{text}", text.len())?;
        }
        Ok(())
    }
}

fn split_proof(rest: &str) -> Option<(&str, &str)> {
    let (length, rest) = rest.strip_prefix("proof ")?.split_once('\n')?;
    let length = usize::try_from(parse_decimal(length)?).ok()?;
    Some((rest.get(..length)?, rest.get(length..)?))
}

fn text(bytes: &[u8]) -> Result<&str, BundleError> {
    if bytes.len() > LIMIT {
        return Err(BundleError::Limit(bytes.len()));
    }
    std::str::from_utf8(bytes).map_err(|_| BundleError::Malformed("it is not UTF-8"))
}

fn same_bytes(parsed: &impl fmt::Display, text: &str) -> Result<(), BundleError> {
    if parsed.to_string() == text {
        Ok(())
    } else {
        Err(BundleError::Malformed("it is not in its one spelling"))
    }
}
