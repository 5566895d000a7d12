//! Cosignatures: "at this time I saw this tree, and it extends all I saw before" (C2SP `tlog-cosignature`).

use crate::{Checkpoint, KeyKind, NoteError, Signature, SignedCheckpoint, SigningKey, VerifierKey};

/// Latest time a cosignature may carry.
const MAX_TIME: u64 = i64::MAX as u64;

impl SignedCheckpoint {
    /// A witness's signature line for this checkpoint; `time` is in seconds since 1970-01-01 UTC.
    ///
    /// The caller must have checked that the tree extends every tree it cosigned before; [`crate::Witness`] does.
    ///
    /// # Errors
    /// [`NoteError::BadKey`] if the key is a log's, [`NoteError::Malformed`] if the time is zero or beyond 2^63 - 1,
    /// or a name is too long for the ML-DSA-44 form.
    pub fn cosign(&self, key: &SigningKey, time: u64) -> Result<Signature, NoteError> {
        if time == 0 || time > MAX_TIME {
            return Err(NoteError::Malformed("the time of a cosignature must lie between 1 and 2^63 - 1"));
        }
        let message = message(self, key.verifier(), time)?;
        Ok(key.line([time.to_be_bytes().to_vec(), key.sign_bytes(&message)].concat()))
    }

    /// When `witness` cosigned this checkpoint, in seconds since 1970-01-01 UTC; `None` if it did not.
    ///
    /// Of several good cosignatures the newest counts.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if a line claims to be by this witness and is not.
    pub fn cosigned_at(&self, witness: &VerifierKey) -> Result<Option<u64>, NoteError> {
        let bad = || NoteError::BadSignature(witness.name().to_owned());
        let mut newest = None;
        for line in self.note.signatures.iter().filter(|line| witness.matches(line)) {
            let (time, signature) = line.bytes.split_first_chunk::<8>().ok_or_else(bad)?;
            let time = u64::from_be_bytes(*time);
            if time == 0 || time > MAX_TIME {
                return Err(bad());
            }
            witness.check(&message(self, witness, time)?, signature)?;
            newest = newest.max(Some(time));
        }
        Ok(newest)
    }
}

/// What is signed, after the rules of the key's kind.
fn message(signed: &SignedCheckpoint, key: &VerifierKey, time: u64) -> Result<Vec<u8>, NoteError> {
    match key.kind() {
        KeyKind::Log => Err(NoteError::BadKey("a log key signs notes, not cosignatures")),
        KeyKind::Witness => Ok(format!("cosignature/v1\ntime {time}\n{}", signed.note.text).into_bytes()),
        KeyKind::WitnessMlDsa44 => ml_dsa_message(&signed.checkpoint, key.name(), time),
    }
}

/// The structure `cosigned_message` of the specification for a whole tree.
fn ml_dsa_message(checkpoint: &Checkpoint, cosigner: &str, time: u64) -> Result<Vec<u8>, NoteError> {
    let short = |text: &str| {
        let length = u8::try_from(text.len()).map_err(|_| NoteError::BadName(text.to_owned()))?;
        Ok([&[length], text.as_bytes()].concat())
    };
    Ok([
        b"subtree/v1\n\0".to_vec(),
        short(cosigner)?,
        time.to_be_bytes().to_vec(),
        short(&checkpoint.origin)?,
        0_u64.to_be_bytes().to_vec(),
        checkpoint.size.to_be_bytes().to_vec(),
        checkpoint.root.as_bytes().to_vec(),
    ]
    .concat())
}
