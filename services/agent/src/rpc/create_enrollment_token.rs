//! CreateEnrollmentToken: the only answer that holds its secret.

use std::time::Duration;

use weft_kit::{Call, auth};
use weft_proto::weft::agent::v1::{CreateEnrollmentTokenRequest, EnrollmentToken};
use weft_store::{EnrollmentTokenRow, NewEnrollmentToken, StoreError, Timestamp, Written, once};

use super::token_message;
use crate::{Error, domain::name, state::State};

/// How long a token is good if nobody says.
const LIFETIME: Duration = Duration::from_hours(24);
/// How long at most.
const LONGEST: Duration = Duration::from_hours(366 * 24);

pub(crate) async fn handle(
    state: &State,
    call: Call<CreateEnrollmentTokenRequest>,
) -> Result<EnrollmentToken, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let once = once::request(&caller.name, "CreateEnrollmentToken", &request_id, &request);
    if let Some(once) = &once
        && let Some(answer) = state.store.recall(once).await.map_err(reused)?
    {
        return once::replay(&answer);
    }

    let token = request.enrollment_token.take().unwrap_or_default();
    let now = state.now();
    let expires = token.expire_time.as_ref().map_or_else(|| now.after(LIFETIME), Timestamp::from);
    if expires <= now || expires > now.after(LONGEST) {
        return Err(Error::field("enrollment_token.expire_time", "must lie in the future, a year at most"));
    }
    let secret = format!("{}{}", token_message::PREFIX, state.ids.secret());
    let new = NewEnrollmentToken {
        project: name::project(&request.parent).to_owned(),
        id: if request.enrollment_token_id.is_empty() {
            state.ids.short()
        } else {
            request.enrollment_token_id
        },
        uid: state.ids.uuid(),
        display_name: token.display_name,
        digest: auth::digest(&secret),
        max_uses: token.max_uses.max(1),
        labels: token.labels.into_iter().collect(),
        at: now,
        expires,
        creator: caller.name.to_string(),
    };
    let answer = token_message::of(&as_row(&new));
    let full = answer.name.clone();
    match state.store.create_enrollment_token(new, once::remember(once, &answer)).await {
        Ok(Written::Done(row)) => Ok(EnrollmentToken { secret, ..token_message::of(&row) }),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::TokenExists(full)),
        Err(error) => Err(reused(error)),
    }
}

/// The row that it becomes.
fn as_row(new: &NewEnrollmentToken) -> EnrollmentTokenRow {
    EnrollmentTokenRow {
        project: new.project.clone(),
        id: new.id.clone(),
        uid: new.uid,
        display_name: new.display_name.clone(),
        digest: new.digest,
        max_uses: new.max_uses,
        use_count: 0,
        labels: new.labels.clone(),
        created: new.at,
        expires: new.expires,
        revoked: None,
        creator: new.creator.clone(),
    }
}

fn reused(error: StoreError) -> Error {
    match error {
        StoreError::Conflict { .. } => Error::RequestIdReused,
        error => error.into(),
    }
}
