//! GetAgentChallenge: something to sign, that nobody has to remember.

use weft_kit::Call;
use weft_proto::weft::agent::v1::{AgentChallenge, GetAgentChallengeRequest};

use crate::{domain::challenge::LIFETIME_SECONDS, state::State};

pub(crate) fn handle(state: &State, call: &Call<GetAgentChallengeRequest>) -> AgentChallenge {
    let expires = state.clock.unix_seconds() + LIFETIME_SECONDS;
    AgentChallenge {
        challenge: state.challenges.make(&call.message.name, expires, state.ids.bytes()).into(),
        expire_time: Some(prost_types::Timestamp {
            seconds: i64::try_from(expires).unwrap_or(i64::MAX),
            nanos: 0,
        }),
    }
}
