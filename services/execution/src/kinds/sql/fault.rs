//! Why a statement did not do what it should: by SQLSTATE, and without what is private about the connection.

use std::fmt::Write;

use tokio_postgres::Error;
use weft_kit::egress::EgressError;

use crate::domain::fault::StepError;

/// A connection could not be had.
pub(super) fn of_egress(error: &EgressError) -> StepError {
    // What these say of themselves names the host, which is part of a secret.
    match error {
        EgressError::Forbidden(_) => StepError::new(
            "ADDRESS_REFUSED",
            "the database's host leads to an address that may not be called",
        ),
        EgressError::Untrusted(..) => {
            let message = "the database's server shows no certificate for its host's name that is signed by an authority known \
                here: `ca` names others, and a URL with sslmode=disable goes without";
            StepError::new("SQL_TLS", message)
        }
        EgressError::TimedOut(_) => {
            StepError::passing("SQL_UNAVAILABLE", "the database's server did not answer in time")
        }
        _ => StepError::passing("SQL_UNAVAILABLE", "the database's server cannot be reached"),
    }
}

pub(super) fn lost() -> StepError {
    StepError::passing("SQL_UNAVAILABLE", "the connection to the database was lost")
}

pub(super) fn slow() -> StepError {
    StepError::passing("SQL_UNAVAILABLE", "the database's server did not answer in time")
}

pub(super) fn no_tls() -> StepError {
    let message = "the database's server has no TLS; a URL with sslmode=disable goes without";
    StepError::new("SQL_TLS", message)
}

pub(super) fn too_large() -> StepError {
    StepError::new("VALUE_TOO_LARGE", "the statement gives more than a step may give: ask for less of it")
}

/// The server was asked for too many types that a statement's types are made of.
pub(super) fn too_many_types() -> StepError {
    let message = "what the statement takes or gives has types that are nested too deep, or are made of too many others: cast \
        them to text";
    StepError::new("SQL_TYPE", message)
}

pub(super) fn cancelled() -> StepError {
    StepError::new("CANCELLED", "it was cancelled")
}

/// The server did not let somebody in. Its words may be about whom, so only their code is told.
pub(super) fn of_start(error: &Error) -> StepError {
    let Some(state) = error.code().map(|state| state.code().to_owned()) else {
        // What is no word of the server's is about the connection, or about how to log in.
        let is_lost = error.is_closed() || is_of_connection(error);
        return if is_lost {
            lost()
        } else {
            StepError::new("SQL_REFUSED", "no way of logging in was agreed on")
        };
    };
    match state.get(..2).unwrap_or_default() {
        "28" => {
            StepError::new("SQL_REFUSED", format!("the database refuses the user or the password ({state})"))
        }
        "3D" => StepError::new("SQL_REFUSED", format!("there is no such database ({state})")),
        "42" => StepError::new("SQL_REFUSED", format!("the user may not use this database ({state})")),
        "08" | "53" | "57" => {
            StepError::passing("SQL_UNAVAILABLE", format!("the database takes no connection now ({state})"))
        }
        _ => StepError::new("SQL_REFUSED", format!("the database takes no such connection ({state})")),
    }
}

fn is_of_connection(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A statement failed.
pub(super) fn of_statement(error: &Error) -> StepError {
    let Some(told) = error.as_db_error() else {
        if error.is_closed() || is_of_connection(error) {
            return lost();
        }
        // The driver's own words: about parameters or columns, never about the connection.
        let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        return StepError::new("SQL_DATA", why);
    };
    let state = told.code().code();
    let mut message = format!("{state}: {}", told.message());
    for (name, part) in [
        ("constraint", told.constraint()),
        ("table", told.table()),
        ("column", told.column()),
        ("detail", told.detail()),
        ("hint", told.hint()),
    ] {
        if let Some(part) = part {
            let _ = write!(message, "; {name}: {part}");
        }
    }
    match state {
        "57014" => StepError::passing("TIMEOUT", message),
        "25006" => {
            let message = format!("{message}; set `writes` where the step is to change something");
            StepError::new("SQL_READ_ONLY", message)
        }
        "42501" => StepError::new("SQL_REFUSED", message),
        "55P03" => StepError::passing("SQL_CONFLICT", message),
        _ => match state.get(..2).unwrap_or_default() {
            "40" => StepError::passing("SQL_CONFLICT", message),
            "08" | "53" | "57" | "58" => StepError::passing("SQL_UNAVAILABLE", message),
            "23" => StepError::new("SQL_CONSTRAINT", message),
            "22" => StepError::new("SQL_DATA", message),
            "42" | "26" | "0A" => StepError::new("SQL_STATEMENT", message),
            _ => StepError::new("SQL_FAILED", message),
        },
    }
}
