//! IssueAgentToken: an access token for whoever has an agent's key.

use weft_kit::Call;
use weft_proto::weft::{
    agent::v1::IssueAgentTokenRequest,
    identity::v1::{AccessToken, IssueMachineTokenRequest, identity_service_client::IdentityServiceClient},
};

use crate::{Error, domain::proof, state::State};

/// What an agent's token can be used for at all.
const SCOPES: [&str; 2] = ["agent.write", "telemetry.write"];

pub(crate) async fn handle(state: &State, call: Call<IssueAgentTokenRequest>) -> Result<AccessToken, Error> {
    let IssueAgentTokenRequest { name, challenge, signature } = call.message;
    if !state.challenges.is_good(&name, &challenge, state.clock.unix_seconds()) {
        return Err(Error::BadProof("the challenge is not one for this agent, or too old; get a new one"));
    }
    // One that there is not is refused in the same words as one with another key.
    let wrong = Error::BadProof("the signature is not one of this agent's key over the challenge");
    let entry = match state.fleet.get(&name).await {
        Err(Error::AgentNotFound(_)) => return Err(wrong),
        other => other?,
    };
    if !proof::holds(&entry.public_key, proof::TOKEN, &challenge, &signature) {
        return Err(wrong);
    }
    let request = IssueMachineTokenRequest {
        name,
        uid: entry.uid.to_string(),
        scopes: SCOPES.map(str::to_owned).to_vec(),
    };
    let mut identity = IdentityServiceClient::new(state.identity.clone());
    Ok(identity.issue_machine_token(request).await?.into_inner())
}
