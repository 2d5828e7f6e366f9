//! What can be wrong with a file, and where.

use std::fmt;

/// A place in an imported file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Path of the file as the client gave it; inside an archive, `archive.tar/inner/path`.
    pub path: String,
    /// Line from 1; 0 where the problem is about the whole file.
    pub line: u64,
    /// Byte from the beginning of the decompressed file; `None` where only the line is known.
    pub byte: Option<u64>,
}

impl Position {
    /// A line of a file.
    pub fn line(path: &str, line: u64) -> Self {
        Self { path: path.to_owned(), line, byte: None }
    }

    /// A file as a whole.
    pub fn file(path: &str) -> Self {
        Self::line(path, 0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.path.is_empty() { "(all files)" } else { &self.path })?;
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        match self.byte {
            Some(byte) => write!(f, ", byte {byte}"),
            None => Ok(()),
        }
    }
}

/// Why a file cannot be read, or a graph not be written. The text of each says what is wrong and
/// what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The content does not follow its format, or says what a graph cannot hold.
    #[error("{at}: {problem}")]
    Syntax {
        /// Where.
        at: Position,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The text is not UTF-8.
    #[error("{at}: {problem}")]
    Encoding {
        /// Where the first wrong byte is.
        at: Position,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The content ends before it is complete.
    #[error("{at}: {problem}")]
    Truncated {
        /// Where it ends.
        at: Position,
        /// What is missing.
        problem: String,
    },
    /// A limit of [`ReadLimits`](super::ReadLimits) is exceeded.
    #[error("{at}: {problem} (the limit is {limit})")]
    TooLarge {
        /// Where.
        at: Position,
        /// What is too large.
        problem: String,
        /// The limit, in the unit that `problem` speaks of.
        limit: u64,
    },
    /// A path that would leave the imported folder.
    #[error("path {path:?}: {problem}")]
    UnsafePath {
        /// The path.
        path: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Something that is not read or written, though it may be valid elsewhere.
    #[error("{at}: {problem}")]
    Unsupported {
        /// Where.
        at: Position,
        /// What is not supported and what to use instead.
        problem: String,
    },
    /// The [`Sink`](super::Sink) refused an element; for its own reasons, for example a quota.
    #[error("{problem}")]
    Refused {
        /// Why.
        problem: String,
    },
}

/// The kinds of [`FormatError`], without their particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatErrorKind {
    /// [`FormatError::Syntax`]
    Syntax,
    /// [`FormatError::Encoding`]
    Encoding,
    /// [`FormatError::Truncated`]
    Truncated,
    /// [`FormatError::TooLarge`]
    TooLarge,
    /// [`FormatError::UnsafePath`]
    UnsafePath,
    /// [`FormatError::Unsupported`]
    Unsupported,
    /// [`FormatError::Refused`]
    Refused,
}

impl FormatError {
    /// Which kind it is.
    pub fn kind(&self) -> FormatErrorKind {
        match self {
            Self::Syntax { .. } => FormatErrorKind::Syntax,
            Self::Encoding { .. } => FormatErrorKind::Encoding,
            Self::Truncated { .. } => FormatErrorKind::Truncated,
            Self::TooLarge { .. } => FormatErrorKind::TooLarge,
            Self::UnsafePath { .. } => FormatErrorKind::UnsafePath,
            Self::Unsupported { .. } => FormatErrorKind::Unsupported,
            Self::Refused { .. } => FormatErrorKind::Refused,
        }
    }

    /// Where it is; `None` for a path or a refusal, which are about no place.
    pub fn position(&self) -> Option<&Position> {
        match self {
            Self::Syntax { at, .. }
            | Self::Encoding { at, .. }
            | Self::Truncated { at, .. }
            | Self::TooLarge { at, .. }
            | Self::Unsupported { at, .. } => Some(at),
            Self::UnsafePath { .. } | Self::Refused { .. } => None,
        }
    }
}
