//! ApproveCommand and RejectCommand: a second person lets a command start, or cancels it.

use weft_jobs::JobsError;
use weft_kit::Call;
use weft_proto::weft::command::v1::{ApproveCommandRequest, Command, RejectCommandRequest};

use super::find;
use crate::{
    Error,
    domain::{
        approval::{Decision, decide},
        payload,
    },
    state::State,
};

pub(crate) async fn approve(state: &State, call: Call<ApproveCommandRequest>) -> Result<Command, Error> {
    let ApproveCommandRequest { name, comment } = call.message;
    handle(state, &name, Decision { goes: true, decider: &call.caller.name, comment: &comment }).await
}

pub(crate) async fn reject(state: &State, call: Call<RejectCommandRequest>) -> Result<Command, Error> {
    let RejectCommandRequest { name, comment } = call.message;
    handle(state, &name, Decision { goes: false, decider: &call.caller.name, comment: &comment }).await
}

async fn handle(state: &State, name: &str, decision: Decision<'_>) -> Result<Command, Error> {
    // Once more where somebody else was faster: then it is decided, or has ended.
    for _ in 0..2 {
        let batch = find::batch(state, name).await?;
        let mut command = payload::read_note(batch.id, batch.note.clone())?;
        if !decide(&mut command, decision, state.now())? {
            return find::command(state, &batch).await;
        }
        if batch.ended.is_some() {
            return Err(Error::CommandEnded(name.to_owned()));
        }
        let note = payload::note(&command);
        let decided = if decision.goes {
            state.jobs.release(batch.id, note).await
        } else {
            state.jobs.decline(batch.id, note).await
        };
        match decided {
            Err(JobsError::NotFound) => {}
            decided => {
                decided?;
                let batch = find::batch(state, name).await?;
                return find::command(state, &batch).await;
            }
        }
    }
    Err(Error::NotReady)
}
