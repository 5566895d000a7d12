//! Names of the static files a tiled log consists of (C2SP `tlog-tiles`).

use std::{fmt, ops::Range, str::FromStr};

/// Hashes in a full tile and entries in a full bundle.
pub(crate) const FULL: u16 = 256;

/// One file of a tiled log, without the log's prefix.
///
/// `Display` and `FromStr` are the path of C2SP `tlog-tiles`: `checkpoint`, `tile/<L>/<N>[.p/<W>]`,
/// `tile/entries/<N>[.p/<W>]`, the index in groups of three digits.
///
/// ```
/// use transparency::Resource;
/// let tile = Resource::Tile { level: 0, index: 1_234_067, width: 256 };
/// assert_eq!(tile.to_string(), "tile/0/x001/x234/067");
/// assert_eq!("tile/entries/000.p/7".parse(), Ok(Resource::Entries { index: 0, width: 7 }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The signed tree head; the only file that ever changes.
    Checkpoint,
    /// Up to 256 hashes of one level.
    Tile {
        /// 0 for leaf hashes; each level above covers 256 times as many entries.
        level: u8,
        /// Place within the level.
        index: u64,
        /// Hashes in the tile, 1 to 256; 256 is a full tile.
        width: u16,
    },
    /// Up to 256 entries, each behind its length as a big-endian `u16`.
    Entries {
        /// Place of the bundle; its first entry is `256 * index`.
        index: u64,
        /// Entries in the bundle, 1 to 256; 256 is a full bundle.
        width: u16,
    },
}

/// The text is not the path of a file of a tiled log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path of a tiled log\nhint: expected `checkpoint`, `tile/0/x001/067` or `tile/entries/000.p/12`"
)]
pub struct ResourceError(String);

impl Resource {
    /// Whether this is a full tile or bundle, which never changes and replaces its partial ones.
    pub fn is_full(&self) -> bool {
        self.width() == FULL
    }

    /// Hashes or entries in the file; 0 for the checkpoint.
    pub(crate) fn width(&self) -> u16 {
        match self {
            Self::Checkpoint => 0,
            Self::Tile { width, .. } | Self::Entries { width, .. } => *width,
        }
    }
}

impl Resource {
    /// In the order of `Resource`, the smaller files of the same place, which this one replaces.
    pub(crate) fn partials(&self) -> Range<Self> {
        let with = |new: u16| match *self {
            Self::Checkpoint => Self::Checkpoint,
            Self::Tile { level, index, .. } => Self::Tile { level, index, width: new },
            Self::Entries { index, .. } => Self::Entries { index, width: new },
        };
        with(0)..*self
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match self {
            Self::Checkpoint => return f.write_str("checkpoint"),
            Self::Tile { level, index, width } => {
                write!(f, "tile/{level}/")?;
                (*index, *width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                (*index, *width)
            }
        };
        write_index(f, index)?;
        if width == FULL { Ok(()) } else { write!(f, ".p/{width}") }
    }
}

impl FromStr for Resource {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        parse(text).filter(|found| found.to_string() == text).ok_or_else(|| ResourceError(text.to_owned()))
    }
}

fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups[1..].iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", groups[0])
}

fn parse(text: &str) -> Option<Resource> {
    if text == "checkpoint" {
        return Some(Resource::Checkpoint);
    }
    let (level, path) = text.strip_prefix("tile/")?.split_once('/')?;
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => (path, width.parse().ok().filter(|width| (1..FULL).contains(width))?),
        None => (path, FULL),
    };
    let mut index = 0_u64;
    for group in path.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok().filter(|group| *group < 1000)?)?;
    }
    match level {
        "entries" => Some(Resource::Entries { index, width }),
        _ => Some(Resource::Tile { level: level.parse().ok().filter(|level| *level < 64)?, index, width }),
    }
}
