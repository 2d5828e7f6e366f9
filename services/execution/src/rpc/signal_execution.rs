//! SignalExecution: to the step that waits for it, or that will.

use std::sync::Arc;

use weft_kit::{Call, json};
use weft_proto::weft::execution::v1::{Execution, SignalExecutionRequest};

use super::{control, find};
use crate::{Error, domain::message, engine::Asked, state::State};

/// Largest payload, in bytes.
const LARGEST: usize = 256 << 10;

pub(crate) async fn handle(state: &State, call: Call<SignalExecutionRequest>) -> Result<Execution, Error> {
    let SignalExecutionRequest { name, signal, payload, request_id } = call.message;
    let value = payload.map(message::of_value).unwrap_or_default();
    if json::is_too_deep(&value) || value.to_string().len() > LARGEST {
        return Err(Error::field("payload", format!("is nested too deep, or has more than {LARGEST} bytes")));
    }
    let row = find::row(state, &name).await?;
    let once = super::once(&call.caller.name, &request_id);
    if let Some(once) = &once
        && find::see(state, &row, {
            let once = once.clone();
            move |_, run| run.knows_request(&once)
        })
        .await?
    {
        return find::execution(state, &name).await;
    }
    control::handle(state, &name, Asked::Signal { name: signal, value: Arc::new(value), once }).await
}
