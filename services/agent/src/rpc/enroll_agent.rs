//! EnrollAgent: a token for a place in the fleet.

use std::sync::Arc;

use prost::Message;
use weft_kit::{Call, auth};
use weft_proto::weft::agent::v1::{Agent, AgentKind, EnrollAgentRequest};
use weft_store::{EnrollmentTokenRow, NewAgent, StoreError};

use crate::{
    Error,
    domain::{name, proof, record::Record},
    fleet::Entry,
    state::State,
};

/// How many ids are tried where the server chooses.
const TRIES: usize = 8;

pub(crate) async fn handle(state: &State, call: Call<EnrollAgentRequest>) -> Result<Agent, Error> {
    let request = call.message;
    if !proof::holds(&request.public_key, proof::ENROLL, request.token.as_bytes(), &request.signature) {
        return Err(Error::BadProof("the signature is not one of this key over this token"));
    }
    let digest = auth::digest(&request.token);
    let token = match state.store.enrollment_token_by_digest(&digest).await {
        Err(StoreError::NotFound { .. }) => return Err(Error::TokenInvalid),
        other => other?,
    };
    let hostname = request.facts.as_ref().and_then(|facts| facts.host.as_ref()).map(|host| &*host.hostname);
    let wish = if request.agent_id.is_empty() {
        name::slug(hostname.unwrap_or_default())
    } else {
        request.agent_id.clone()
    };
    let new = new_agent(state, &request, &token)?;
    let entry = join(state, &token, new, &wish, request.agent_id.is_empty()).await?;
    Ok(state.message(&entry))
}

/// Lets an agent in under the id that it wishes for, or one like it where it `may_differ`.
pub(crate) async fn join(
    state: &State,
    token: &EnrollmentTokenRow,
    new: NewAgent,
    wish: &str,
    may_differ: bool,
) -> Result<Arc<Entry>, Error> {
    let mut id = wish.to_owned();
    for _ in 0..TRIES {
        match state.store.enroll_agent(NewAgent { id: id.clone(), ..new.clone() }).await {
            Ok(row) => {
                let full = name::of_agent(&row.project, &row.id);
                tracing::info!(agent = %full, token = %name::of_token(&token.project, &token.id), "an agent has joined");
                state.written(&row).await?;
                return state.fleet.get(&full).await;
            }
            Err(StoreError::AlreadyExists { what: "agent" }) if may_differ => {
                id = format!("{wish}-{}", &state.ids.short()[..4]);
            }
            Err(StoreError::AlreadyExists { what: "agent" }) => {
                return Err(Error::AgentExists(name::of_agent(&token.project, &id)));
            }
            Err(StoreError::AlreadyExists { .. }) => return Err(Error::KeyInUse),
            Err(StoreError::NotFound { .. }) => return Err(Error::TokenInvalid),
            Err(StoreError::Conflict { .. }) => return Err(Error::TokenUsedUp),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::AgentExists(name::of_agent(&token.project, wish)))
}

fn new_agent(
    state: &State,
    request: &EnrollAgentRequest,
    token: &EnrollmentTokenRow,
) -> Result<NewAgent, Error> {
    let public_key: [u8; 32] =
        request.public_key[..].try_into().map_err(|_| Error::field("public_key", "must have 32 bytes"))?;
    let now = state.now();
    let agent = Agent {
        display_name: request.display_name.clone(),
        labels: token.labels.clone().into_iter().collect(),
        kind: AgentKind::Host.into(),
        key_id: auth::thumbprint(&public_key),
        enrollment_token: name::of_token(&token.project, &token.id),
        create_time: Some(now.into()),
        update_time: Some(now.into()),
        ..Agent::default()
    };
    let mut record = Record::new(agent, now);
    if let Some(facts) = &request.facts {
        record.take_facts(facts);
    }
    Ok(NewAgent {
        token_digest: token.digest,
        project: token.project.clone(),
        id: String::new(),
        uid: state.ids.uuid(),
        public_key,
        record: record.encode_to_vec().into(),
        at: now,
    })
}
