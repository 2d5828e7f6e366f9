//! What is refused about objects, and the status that a client gets for it.

use std::time::Duration;

use tonic::Status;
use weft_kit::Problem;
use weft_store::StoreError;

use super::OF_PROJECT;
use crate::Error;

/// When to come again where too many are writing.
const AGAIN: Duration = Duration::from_secs(10);

/// Why an object was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    #[error("there is no object {0}")]
    NotFound(String),
    #[error("there is an object {0} already")]
    Exists(String),
    #[error("{0} has changed since it was read")]
    Changed(String),
    #[error("etag: is none that an object has")]
    BadEtag,
    #[error("{0} has no more than {1} bytes")]
    Beyond(String, i64),
    #[error("the first message must be begin, and the others data")]
    Order,
    #[error("what has come has the SHA-256 {0}")]
    OtherBytes(String),
    #[error("an object has at most {0} bytes")]
    TooLarge(u64),
    #[error("a project has at most {0} objects")]
    TooMany(u64),
    #[error("the objects of a project have at most {0} bytes, with what was replaced or deleted just now")]
    TooMuch(u64),
    #[error("too many objects of the project are being written")]
    Busy,
    #[error("nothing came for a minute, or less than 1 KiB a second")]
    Stalled,
    #[error("the upload took too long")]
    TooSlow,
    /// Nobody waits for it any more, or the process ends.
    #[error("the write was broken off")]
    BrokenOff,
    #[error("the bytes of {0} are not those that were written")]
    Corrupt(String),
    /// The client's stream failed.
    #[error(transparent)]
    Status(Box<Status>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Status> for ObjectError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl ObjectError {
    /// A stable word, and whether another attempt may help: for steps.
    pub(crate) fn word(&self) -> (&'static str, bool) {
        match self {
            Self::NotFound(_) => ("OBJECT_NOT_FOUND", false),
            Self::Exists(_) => ("OBJECT_ALREADY_EXISTS", false),
            Self::Changed(_) | Self::BadEtag => ("ETAG_MISMATCH", true),
            Self::TooLarge(_) => ("OBJECT_TOO_LARGE", false),
            Self::TooMany(_) | Self::TooMuch(_) => ("TOO_MANY_OBJECTS", false),
            Self::Corrupt(_) => ("OBJECT_CORRUPT", false),
            Self::OtherBytes(_) | Self::Beyond(..) | Self::Order => ("BAD_REQUEST", false),
            Self::Busy
            | Self::Stalled
            | Self::TooSlow
            | Self::BrokenOff
            | Self::Status(_)
            | Self::Store(_) => ("OBJECT_UNAVAILABLE", true),
        }
    }
}

impl From<ObjectError> for Status {
    fn from(error: ObjectError) -> Self {
        let message = error.to_string();
        match error {
            ObjectError::NotFound(name) => Problem::not_found("OBJECT_NOT_FOUND", message).with("name", name),
            ObjectError::Exists(name) => {
                Problem::already_exists("OBJECT_ALREADY_EXISTS", message).with("name", name)
            }
            ObjectError::Changed(name) => Problem::aborted("ETAG_MISMATCH", message).with("name", name),
            ObjectError::BadEtag => Problem::bad_field("etag", "is none that an object has"),
            ObjectError::Beyond(_, size) => Problem::bad_field("offset", format!("must be at most {size}")),
            ObjectError::Order => Problem::invalid_argument("UPLOAD_ORDER", message),
            ObjectError::OtherBytes(digest) => Problem::bad_field("sha256", message).with("sha256", digest),
            ObjectError::TooLarge(most) => Problem::resource_exhausted("OBJECT_TOO_LARGE", message)
                .quota("object", format!("at most {most} bytes")),
            ObjectError::TooMany(most) => Problem::resource_exhausted("TOO_MANY_OBJECTS", message)
                .quota("objects of the project", format!("at most {most}")),
            ObjectError::TooMuch(most) => Problem::resource_exhausted("TOO_MANY_OBJECTS", message)
                .quota("bytes of the project's objects", format!("at most {most}")),
            ObjectError::Busy => Problem::resource_exhausted("TOO_MANY_UPLOADS", message)
                .quota("uploads of the project", format!("at most {OF_PROJECT} at once in a process"))
                .retry_after(AGAIN),
            ObjectError::Stalled | ObjectError::TooSlow => {
                Problem::new(tonic::Code::DeadlineExceeded, "UPLOAD_STALLED", message)
            }
            ObjectError::Corrupt(name) => {
                tracing::error!(name, "the bytes of an object are not those that were written");
                Problem::data_loss("OBJECT_CORRUPT", message).with("name", name)
            }
            ObjectError::BrokenOff => return Error::Draining.into(),
            ObjectError::Status(status) => return *status,
            ObjectError::Store(error) => return Error::Store(error).into(),
        }
        .into()
    }
}
