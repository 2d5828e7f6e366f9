//! CreateApiKey: the only answer that holds a secret.

use weft_kit::{Call, auth};
use weft_proto::weft::identity::v1::{ApiKey, CreateApiKeyRequest};
use weft_store::{NewApiKey, StoreError, Timestamp, Written, once};

use super::message;
use crate::{
    Error,
    domain::{grants, name},
    state::State,
};

pub(crate) async fn handle(state: &State, call: Call<CreateApiKeyRequest>) -> Result<ApiKey, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateApiKey", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.store.recall(once).await.map_err(Error::reused)?
    {
        return once::replay(&answer);
    }

    let key = request.api_key.take().unwrap_or_default();
    let project = name::project(&request.parent).unwrap_or_default();
    grants::may_give(&caller, project, key.role(), &key.scopes)?;
    let now = Timestamp::from(state.clock.now());
    let expires = key.expire_time.as_ref().map(Timestamp::from);
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Error::BadField {
            field: "api_key.expire_time",
            problem: "must lie in the future".into(),
        });
    }

    let id = if request.api_key_id.is_empty() { state.ids.short() } else { request.api_key_id };
    let secret = format!("{}{}", auth::API_KEY_PREFIX, state.ids.secret());
    let new = NewApiKey {
        project: project.to_owned(),
        id,
        uid: state.ids.uuid(),
        display_name: key.display_name,
        role: key.role,
        scopes: key.scopes,
        digest: auth::digest(&secret),
        expires,
        at: now,
        creator: caller.name.to_string(),
    };
    let answer = unsecret(&new);
    let name = answer.name.clone();
    match state.store.create_api_key(new, once::remember(once, &answer)).await {
        Ok(Written::Done(row)) => Ok(ApiKey { secret, ..message::api_key(&row) }),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::KeyExists(name)),
        Err(error) => Err(Error::reused(error)),
    }
}

/// What a repeat of the request is answered: everything but the secret.
fn unsecret(key: &NewApiKey) -> ApiKey {
    ApiKey {
        name: name::format(&key.project, &key.id),
        uid: key.uid.to_string(),
        display_name: key.display_name.clone(),
        role: key.role,
        scopes: key.scopes.clone(),
        expire_time: key.expires.map(Into::into),
        create_time: Some(key.at.into()),
        creator: key.creator.clone(),
        ..ApiKey::default()
    }
}
