//! GetStep: one step, with what it was given and gave.

use weft_kit::Call;
use weft_proto::weft::execution::v1::{GetStepRequest, Step};

use super::find;
use crate::{
    Error,
    domain::{message, name},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<GetStepRequest>) -> Result<Step, Error> {
    find(state, &call.message.name).await
}

/// The step of that name, as it is now.
pub(super) async fn find(state: &State, full: &str) -> Result<Step, Error> {
    let missing = || Error::StepNotFound(full.to_owned());
    let (execution, number) = name::step(full).ok_or_else(missing)?;
    let row = find::row(state, execution).await?;
    let execution = execution.to_owned();
    let found = find::see(state, &row, move |row, run| {
        Some(message::step(&execution, row.execution.uid, run, run.step(number)?, true))
    });
    found.await?.ok_or_else(missing)
}
