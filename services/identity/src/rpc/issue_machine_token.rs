//! IssueMachineToken: for a machine whose key another service has checked.

use weft_kit::Call;
use weft_proto::weft::identity::v1::{AccessToken, IssueMachineTokenRequest, Principal};

use super::issue_token::issue;
use crate::state::State;

pub(crate) fn handle(state: &State, call: Call<IssueMachineTokenRequest>) -> AccessToken {
    let request = call.message;
    let now = state.clock.unix_seconds();
    let principal = Principal {
        name: request.name,
        // Its name may be another's one day; this never.
        display_name: request.uid,
        scopes: request.scopes,
        ..Principal::default()
    };
    issue(state, &principal, now, now)
}
