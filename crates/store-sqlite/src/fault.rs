//! Which of our errors an error of SQLite is.

use weft_store::{StoreError, codec};

/// SQLite's primary result codes that mean that the file is not what was written.
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_NOTADB: i32 = 26;
/// A constraint: the statement was wrong, because statements check what a client can get wrong beforehand.
const SQLITE_CONSTRAINT: i32 = 19;

/// Primary result code of an error, if SQLite made it.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether the error says that the file is damaged.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB))
}

/// The store's error for an error of sqlx.
pub(crate) fn fault(error: sqlx::Error) -> StoreError {
    if is_damage(&error) {
        return codec::corrupt("(file)", "", "", error);
    }
    if primary_code(&error) == Some(SQLITE_CONSTRAINT) {
        return StoreError::Bug(error.to_string());
    }
    match error {
        sqlx::Error::ColumnDecode { index, source } => codec::corrupt("(row)", "", index, source),
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_) => StoreError::Bug(error.to_string()),
        other => StoreError::unavailable(other),
    }
}

/// Maps the error of one statement.
pub(crate) trait OrFault<T> {
    /// The value, or the store's error.
    fn or_fault(self) -> weft_store::Result<T>;
}

impl<T> OrFault<T> for sqlx::Result<T> {
    fn or_fault(self) -> weft_store::Result<T> {
        self.map_err(fault)
    }
}
