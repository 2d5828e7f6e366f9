//! What can go wrong with a store, in words that a service can act on.

use std::error::Error;

/// Result of every method of every store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A failure of a store. Only the backends make these; only the services translate them for clients.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The name is taken.
    #[error("{what} exists already")]
    AlreadyExists {
        /// What kind of thing, for example "graph".
        what: &'static str,
    },

    /// There is no such thing, or not any more.
    #[error("{what} not found")]
    NotFound {
        /// What kind of thing, for example "graph".
        what: &'static str,
    },

    /// Somebody else was faster: the write was based on something that is not the newest any more. Nothing
    /// was written.
    #[error("the {of} is {current} now")]
    Stale {
        /// Which number was old.
        of: Versioned,
        /// What it is now.
        current: i64,
    },

    /// The request contradicts what is stored, and a repeat will too: a request id that was used for another
    /// request, a ticket that was used.
    #[error("{reason}")]
    Conflict {
        /// What contradicts what.
        reason: &'static str,
    },

    /// The journal does not reach back that far: entries before `oldest` were removed. Start from a
    /// checkpoint.
    #[error("the journal begins at revision {oldest}")]
    Compacted {
        /// The oldest revision that the journal still holds.
        oldest: i64,
    },

    /// An argument that no database could keep. Nothing was written.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which field of the row or the request.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// The database does not answer, or not in time; a write may or may not have happened. Trying again may
    /// help.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),

    /// What is stored cannot be what was written.
    #[error("table {table}, column {column}, row {row}: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// Primary key of the row, for an operator to find it.
        row: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The backend did something that the database refuses. Never caused by a client.
    #[error("a bug in the store: {0}")]
    Bug(String),
}

/// Which number a write was based on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioned {
    /// Revision of a graph's content. Whoever wrote can catch up from the journal and try again.
    Revision,
    /// Version of the row's own fields: the number behind an etag. Only the client can decide to try again.
    Version,
    /// Revision of a graph's checkpoint: a newer one has replaced the one that was being read.
    Checkpoint,
    /// Epoch of a shard of jobs: somebody else owns it now.
    Epoch,
}

impl std::fmt::Display for Versioned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Revision => "revision",
            Self::Version => "version",
            Self::Checkpoint => "checkpoint revision",
            Self::Epoch => "epoch",
        })
    }
}

impl StoreError {
    /// [`StoreError::Unavailable`] out of any error or text.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// Why a database could not be opened. Each text says what an operator can do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one that the backend understands.
    #[error("database URL: {0}")]
    Url(String),

    /// Another process has the folder open.
    #[error("{path} is in use by another process; stop that one, or give this one another folder")]
    InUse {
        /// The database file.
        path: String,
    },

    /// A newer program has written this database.
    #[error(
        "the database has schema version {found}, this program knows versions up to {known}; use the newer program"
    )]
    Newer {
        /// Newest migration that was applied to the database.
        found: i64,
        /// Newest migration of this program.
        known: i64,
    },

    /// The database is damaged, or is not one of ours.
    #[error("{path} is damaged: {reason}; restore it from a backup")]
    Damaged {
        /// The database file or its URL without a password.
        path: String,
        /// What the check found.
        reason: String,
    },

    /// The file or the server cannot be reached.
    #[error("cannot open {path}")]
    Unavailable {
        /// The database file or its URL without a password.
        path: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}
