//! What may be asked of bytes from outside, and how their refusal is worded.

/// How much a file may ask of this machine before it is refused.
///
/// The limits are checked against what the file *claims*, before memory is set aside for it.
///
/// ```
/// use topography::Limits;
/// let limits = Limits { samples: 1_000_000, ..Limits::default() };
/// assert!(limits.file_bytes > 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes a file may have.
    pub file_bytes: u64,
    /// The most columns, and the most rows.
    pub side: usize,
    /// The most samples (columns times rows).
    pub samples: usize,
    /// The most bytes that any one part of the file may unpack to.
    pub unpacked_bytes: u64,
}

impl Default for Limits {
    /// Half a gibibyte of file or of unpacked part, 32,768 samples a side, 64 million samples in all.
    fn default() -> Self {
        Self { file_bytes: 1 << 29, side: 1 << 15, samples: 64_000_000, unpacked_bytes: 1 << 29 }
    }
}

impl Limits {
    pub(crate) fn check_file(&self, bytes: &[u8]) -> Result<(), FileError> {
        if bytes.len() as u64 > self.file_bytes {
            return Err(FileError::limit("the file is too large", bytes.len() as u64, self.file_bytes));
        }
        Ok(())
    }

    /// The number of samples of a picture of this size, if it is allowed.
    pub(crate) fn check_size(&self, width: u64, height: u64) -> Result<usize, FileError> {
        let side = width.max(height);
        if side > self.side as u64 {
            return Err(FileError::limit("there are too many samples a side", side, self.side as u64));
        }
        let samples = width * height;
        if samples > self.samples as u64 {
            return Err(FileError::limit("there are too many samples", samples, self.samples as u64));
        }
        Ok(samples as usize)
    }

    pub(crate) fn check_unpacked(&self, bytes: u64) -> Result<(), FileError> {
        if bytes > self.unpacked_bytes {
            return Err(FileError::limit(
                "a part of the file unpacks to too many bytes",
                bytes,
                self.unpacked_bytes,
            ));
        }
        Ok(())
    }
}

/// Why a file was not read or written. Each variant names who must act; each message is one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The bytes are not what they claim to be: fetch or export the file again.
    #[error("{0}")]
    Damaged(String),
    /// The bytes are in order, but hold something that is not read here: convert the file elsewhere.
    #[error("{0}")]
    Unsupported(String),
    /// The file asks for more than the caller's [`Limits`] allow: raise the limit if the file is trusted.
    #[error("{what}: {seen}, and at most {allowed} are allowed")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much the file asks for.
        seen: u64,
        /// How much is allowed.
        allowed: u64,
    },
    /// What the caller asked to be read or written makes no sense: correct the call.
    #[error("{0}")]
    Parameter(String),
}

impl FileError {
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::Damaged(message.into())
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::Unsupported(message.into())
    }

    pub(crate) fn limit(what: &'static str, seen: u64, allowed: u64) -> Self {
        Self::Limit { what, seen, allowed }
    }
}
