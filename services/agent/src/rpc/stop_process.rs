//! StopProcess: the agent does it, and knows which process is meant.

use std::{sync::Arc, time::Duration};

use weft_kit::{Call, span};
use weft_proto::weft::agent::v1::{
    StopProcessRequest, StopProcessResponse, host_answer::Outcome, host_question::Ask,
};

use crate::{
    Error,
    host::{self, PATIENCE, Question},
    state::State,
};

/// How long a process may take to end by itself, if nothing is said.
const GRACE: Duration = Duration::from_secs(5);
/// The longest that may be asked for.
const LONGEST_GRACE: Duration = Duration::from_secs(20);

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<StopProcessRequest>,
) -> Result<StopProcessResponse, Error> {
    let mut request = call.message;
    let grace = grace(request.grace_period)?;
    request.grace_period = Some(span::of(grace));
    let (agent, process) = (request.name.clone(), request.process_id);
    let question = Question {
        agent: agent.clone(),
        opened: "stop-process",
        patience: PATIENCE + grace,
        ask: Ask::StopProcess(request),
    };
    // Whoever tries is written down as well as whoever succeeds.
    tracing::info!(%agent, process, by = %call.caller.name, "a process is to end");
    let Outcome::Stopped(stopped) = host::ask(state, question).await? else {
        return Err(Error::unexpected_answer());
    };
    tracing::info!(%agent, process, by = %call.caller.name, outcome = stopped.outcome().as_str_name(), "a process was ended");
    Ok(stopped)
}

fn grace(asked: Option<prost_types::Duration>) -> Result<Duration, Error> {
    let Some(asked) = asked else { return Ok(GRACE) };
    Duration::try_from(asked)
        .ok()
        .filter(|grace| *grace <= LONGEST_GRACE)
        .ok_or_else(|| Error::field("grace_period", "is 0 to 20 seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_bounded() {
        let of = |seconds| grace(Some(prost_types::Duration { seconds, nanos: 0 })).ok();
        assert_eq!((of(0), of(20)), (Some(Duration::ZERO), Some(LONGEST_GRACE)));
        assert_eq!((of(21), of(-1)), (None, None));
        assert_eq!(grace(None).ok(), Some(GRACE));
    }
}
