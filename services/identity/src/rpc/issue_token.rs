//! IssueToken: an access token for a credential.

use std::time::SystemTime;

use prost::Message;
use uuid::Uuid;
use weft_kit::{
    Call, Caller, CallerKind, Role,
    auth::{AUDIENCE, Claims, ISSUER},
    project_of,
};
use weft_proto::weft::identity::v1::{
    AccessToken, IssueTokenRequest, Principal, issue_token_request::Credential,
};
use weft_store::{Redemption, StoreError};

use super::{introspect_api_key::good_key, message};
use crate::{Error, domain::name, state::State};

pub(crate) async fn handle(state: &State, call: Call<IssueTokenRequest>) -> Result<AccessToken, Error> {
    let request = call.message;
    let now = state.clock.unix_seconds();
    let (principal, auth_time) = match request.credential {
        Some(Credential::ApiKey(secret)) => {
            let row = good_key(state, &secret).await?.ok_or(Error::BadCredential("API key"))?;
            (message::principal_of_key(&row), now)
        }
        Some(Credential::Ticket(secret)) => (redeem(state, &secret, &request.request_id).await?, now),
        Some(Credential::AccessToken(token)) => renewed(state, &token, now).await?,
        None => return Err(Error::BadField { field: "credential", problem: "one must be given".into() }),
    };
    Ok(issue(state, &principal, auth_time, now))
}

async fn redeem(state: &State, secret: &str, request_id: &str) -> Result<Principal, Error> {
    let redemption = Redemption {
        digest: weft_kit::auth::digest(secret),
        at: state.clock.now().into(),
        request_id: Uuid::parse_str(request_id).ok(),
    };
    match state.store.redeem_ticket(redemption).await {
        Ok(principal) => {
            let principal = Principal::decode(principal)
                .map_err(|error| StoreError::Bug(format!("a ticket's principal cannot be read: {error}")))?;
            still_good(state, principal, "ticket").await
        }
        Err(StoreError::NotFound { .. } | StoreError::Conflict { .. }) => Err(Error::BadCredential("ticket")),
        Err(error) => Err(error.into()),
    }
}

/// The principal of a token that is still good, and when it first proved itself.
async fn renewed(state: &State, token: &str, now: u64) -> Result<(Principal, u64), Error> {
    let claims =
        state.keys().verifying.verify(token, now).map_err(|_| Error::BadCredential("access token"))?;
    if now >= claims.auth_time.saturating_add(state.options.session_lifetime.as_secs()) {
        return Err(Error::SessionOver);
    }
    let auth_time = claims.auth_time;
    let principal = message::principal_of_caller(&claims.caller());
    Ok((still_good(state, principal, "access token").await?, auth_time))
}

/// The principal as it is now: a key that was revoked since then gets nothing more.
async fn still_good(state: &State, principal: Principal, what: &'static str) -> Result<Principal, Error> {
    let Some((project, id)) = name::parse(&principal.name) else { return Err(Error::BadCredential(what)) };
    match state.store.get_api_key(project, id).await {
        Ok(row) if message::is_good(&row, state.clock.now()) => Ok(message::principal_of_key(&row)),
        Ok(_) | Err(StoreError::NotFound { .. }) => Err(Error::BadCredential(what)),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn issue(state: &State, principal: &Principal, auth_time: u64, now: u64) -> AccessToken {
    let longest = now + state.options.token_lifetime.as_secs();
    let session_end = auth_time + state.options.session_lifetime.as_secs();
    let key_end =
        principal.expire_time.as_ref().map_or(u64::MAX, |time| u64::try_from(time.seconds).unwrap_or(0));
    let exp = longest.min(session_end).min(key_end);
    let token = state.keys().signing.sign(&Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        sub: principal.name.clone(),
        exp,
        nbf: now,
        iat: now,
        auth_time,
        jti: state.ids.uuid().to_string(),
        name: principal.display_name.clone(),
        grants: Claims::grants_of(&caller_with_grants(principal)),
        scopes: principal.scopes.clone(),
    });
    let lifetime = std::time::Duration::from_secs(exp.saturating_sub(now));
    AccessToken {
        token,
        lifetime: prost_types::Duration::try_from(lifetime).ok(),
        expire_time: Some(prost_types::Timestamp::from(
            SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(exp),
        )),
    }
}

fn caller_with_grants(principal: &Principal) -> Caller {
    let grants = principal
        .grants
        .iter()
        .filter_map(|grant| Some((project_of(&grant.project)?.to_owned(), Role::try_from(grant.role).ok()?)))
        .collect();
    Caller { kind: CallerKind::Principal, grants, ..Caller::nobody() }
}
