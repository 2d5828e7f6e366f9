//! ReceiveCollectorReport: a collector comes by, says something, and is told one thing.

use std::sync::Arc;

use prost::Message;
use weft_kit::Call;
use weft_proto::weft::agent::v1::{
    CollectorTransport, ReceiveCollectorReportRequest, ReceiveCollectorReportResponse,
};

use crate::{
    Error,
    opamp::{
        conversation::{self, refusal, renamed},
        frame,
        guest::{self, Guest},
        wire::{AgentToServer, ErrorType, REQUEST_INSTANCE_UID, ServerToAgent},
    },
    state::State,
};

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<ReceiveCollectorReportRequest>,
) -> Result<ReceiveCollectorReportResponse, Error> {
    let ReceiveCollectorReportRequest { token, address, content } = call.message;
    if state.lifecycle.is_draining() {
        return Err(Error::Draining);
    }
    let guest = guest::admit(state, &token, address, CollectorTransport::Http).await?;
    let answer = match frame::message(&content) {
        Ok(said) => answer(state, &guest, &said).await?,
        Err(why) => {
            guest::charge(state, &guest, None)?;
            refusal(&[], ErrorType::BadRequest, &why)
        }
    };
    Ok(ReceiveCollectorReportResponse { content: answer.encode_to_vec().into() })
}

async fn answer(state: &Arc<State>, guest: &Guest, said: &AgentToServer) -> Result<ServerToAgent, Error> {
    let mut instance = match conversation::instance(said) {
        Ok(instance) => instance,
        Err(why) => {
            guest::charge(state, guest, None)?;
            return Ok(refusal(&said.instance_uid, ErrorType::BadRequest, &why));
        }
    };
    let wants_name = said.flags & REQUEST_INSTANCE_UID != 0;
    if wants_name {
        instance = conversation::derived_instance(guest.token(), said);
    }
    guest::charge(state, guest, Some(instance))?;
    let session = match guest::enter(state, guest, said, instance, None).await {
        Ok((session, _)) => session,
        Err(Error::KeyUsedTwice) => {
            let name = conversation::derived_instance(guest.token(), said);
            tracing::warn!(%instance, new = %name, "two collectors call themselves the same");
            return Ok(conversation::taken(said, name));
        }
        Err(error) => return Err(error),
    };
    let taken = conversation::take(state, &session, guest.transport(), said).await;
    if matches!(taken, Err(Error::Replaced)) {
        // It has been given up, or has gone to another process: the next message begins anew.
        state.sessions.remove(&session);
    }
    let reply = taken?;
    if reply.leaves {
        state.sessions.remove(&session);
        return Ok(reply.answer);
    }
    // A command comes alone: the rest is told when it comes by the next time.
    if let Some(restart) = conversation::restart(state, &session, &said.instance_uid).await? {
        return Ok(restart);
    }
    let remote_config = conversation::offer(state, &session).await?;
    let answer = ServerToAgent { remote_config, ..reply.answer };
    Ok(if wants_name { renamed(answer, instance) } else { answer })
}
