//! How a failure looks to people, and which exit code it has.

use std::{error::Error, process::ExitCode};

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Prints the failure to standard error, and gives its exit code.
#[expect(clippy::print_stderr, reason = "this is where a command line tells its people what went wrong")]
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    let status = error.chain().find_map(|cause| cause.downcast_ref::<Status>());
    let Some(status) = status else {
        eprintln!("error: {error:#}");
        return ExitCode::from(if error.is::<weft_kit::config::ConfigError>() { 7 } else { 1 });
    };
    eprintln!("error: {}", message(status));
    let details = status.get_error_details();
    if let Some(request) = details.bad_request() {
        for violation in request.field_violations.iter().skip(1) {
            eprintln!("       {}: {}", violation.field, violation.description);
        }
    }
    if let Some(info) = details.error_info() {
        eprintln!("reason: {}", info.reason);
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        eprintln!("try again in {:.1} s", delay.as_secs_f64());
    }
    if let Some(advice) = advice(status.code()) {
        eprintln!("{advice}");
    }
    ExitCode::from(exit_code(status.code()))
}

/// A status without a message of its own is told by what is below it.
fn message(status: &Status) -> String {
    let below = status.source().map(ToString::to_string);
    match (status.message(), below) {
        ("", Some(below)) => below,
        ("", None) => format!("{:?}", status.code()),
        (message, _) => message.to_owned(),
    }
}

fn advice(code: Code) -> Option<&'static str> {
    match code {
        Code::Unauthenticated => Some(
            "sign in with --key-file or WEFT_API_KEY; `weft up` writes its administrator's key to admin.key in its data folder",
        ),
        Code::Unavailable => {
            Some("is a mesh running there? start one with `weft up`, or name another with --url")
        }
        _ => None,
    }
}

fn exit_code(code: Code) -> u8 {
    match code {
        Code::Ok => 0,
        Code::NotFound => 3,
        Code::Unauthenticated | Code::PermissionDenied => 4,
        Code::Aborted | Code::AlreadyExists | Code::FailedPrecondition => 5,
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => 6,
        Code::InvalidArgument | Code::OutOfRange => 7,
        Code::Cancelled | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => 1,
    }
}
