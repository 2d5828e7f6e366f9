//! Which of our errors an error of PostgreSQL is.

use weft_store::{StoreError, codec};

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

/// Whether the error says that two transactions waited for each other, and this one was chosen to give up.
pub(crate) fn is_deadlock(error: &sqlx::Error) -> bool {
    state(error).as_deref() == Some("40P01")
}

/// Whether the error says that something was in use by others for too long, or that they waited for this one.
pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    matches!(state(error).as_deref(), Some("55P03" | "40P01"))
}

/// The SQLSTATE of an error, if the server made it.
fn state(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// The store's error for an error of sqlx.
pub(crate) fn fault(error: sqlx::Error) -> StoreError {
    // Classes of SQLSTATE: 22 data, 23 constraint, 42 syntax or access: the statement was wrong, because
    // statements check what a client can get wrong beforehand. XX001 and XX002: damaged pages or indexes.
    match state(&error).as_deref() {
        Some("XX001" | "XX002") => return codec::corrupt("(database)", "", "", error),
        Some(state) if ["22", "23", "42"].iter().any(|class| state.starts_with(class)) => {
            return StoreError::Bug(error.to_string());
        }
        _ => {}
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
