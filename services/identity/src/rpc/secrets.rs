//! The RPCs about secrets.

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;
use weft_kit::{
    Call, Caller,
    paging::{List, page_size},
};
use weft_proto::weft::identity::v1::{
    CreateSecretRequest, DeleteSecretRequest, GetSecretRequest, ListSecretsRequest, ListSecretsResponse,
    OpenSecretRequest, OpenSecretResponse, Secret, UpdateSecretRequest,
};
use weft_store::{NewSecret, Once, SecretRow, SecretUpdate, StoreError, Timestamp, Written, once};

use crate::{
    Error,
    domain::{
        name,
        secret::{Kept, full, shown, split},
    },
    state::State,
};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 8;

pub(crate) async fn create(state: &State, call: Call<CreateSecretRequest>) -> Result<Secret, Error> {
    let Call { caller, message: mut request, .. } = call;
    let request_id = std::mem::take(&mut request.request_id);
    let known = known(state, &caller, &request_id, &request);
    if let Some(known) = &known
        && let Some(answer) = state.secrets.recall(known).await.map_err(Error::reused)?
    {
        return once::replay(&answer);
    }
    let wanted = request.secret.unwrap_or_default();
    if wanted.value.is_empty() {
        return Err(Error::field("secret.value", "must not be empty"));
    }
    let (project, uid) = (name::project(&request.parent).unwrap_or_default().to_owned(), state.ids.uuid());
    let at = Timestamp::from(state.clock.now());
    let kept = Kept {
        display_name: wanted.display_name,
        allowed_hosts: wanted.allowed_hosts,
        creator: caller.name.to_string(),
        value_time: at.as_micros(),
    };
    let new = NewSecret {
        id: request.secret_id,
        uid,
        settings: kept.encode_to_vec().into(),
        sealed: Bytes::new(),
        at,
        project,
    };
    let new =
        NewSecret { sealed: seal(state, &about(uid, &new.project, &new.id, &kept), &wanted.value), ..new };
    let row = SecretRow {
        project: new.project.clone(),
        id: new.id.clone(),
        uid,
        settings: new.settings.clone(),
        version: 1,
        created: at,
        updated: at,
    };
    let answer = shown(&row)?;
    let remember = once::remember(known, &answer);
    match state.secrets.create_secret(new, remember).await {
        Ok(Written::Done(row)) => Ok(shown(&row)?),
        Ok(Written::Replayed(answer)) => once::replay(&answer),
        Err(StoreError::AlreadyExists { .. }) => Err(Error::SecretExists(answer.name)),
        Err(error) => Err(Error::reused(error)),
    }
}

pub(crate) async fn get(state: &State, call: Call<GetSecretRequest>) -> Result<Secret, Error> {
    Ok(shown(&row(state, &call.message.name).await?)?)
}

pub(crate) async fn list(
    state: &State,
    call: Call<ListSecretsRequest>,
) -> Result<ListSecretsResponse, Error> {
    let request = call.message;
    let list = List::of(&["ListSecrets", &request.parent]);
    let after = list.cursor(&request.page_token)?;
    let size = page_size(request.page_size, 50, 1_000);
    let project = name::project(&request.parent).unwrap_or_default();
    let mut rows = state.secrets.list_secrets(project, &after, size + 1).await?;
    let more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows.last().filter(|_| more).map(|row| list.token(&row.id)).unwrap_or_default();
    Ok(ListSecretsResponse { secrets: rows.iter().map(shown).collect::<Result<_, _>>()?, next_page_token })
}

pub(crate) async fn update(state: &State, call: Call<UpdateSecretRequest>) -> Result<Secret, Error> {
    let wanted = call.message.secret.unwrap_or_default();
    let paths = call.message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let fields = Fields::of(&wanted, &paths)?;
    let mut tries = 0;
    loop {
        let row = row(state, &wanted.name).await?;
        if !wanted.etag.is_empty() && wanted.etag != row.version.to_string() {
            return Err(Error::EtagMismatch(wanted.name));
        }
        let known = Kept::read(row.uid, &row.settings)?;
        let at = Timestamp::from(state.clock.now());
        let mut kept = known.clone();
        if fields.display_name {
            kept.display_name.clone_from(&wanted.display_name);
        }
        if fields.allowed_hosts {
            kept.allowed_hosts.clone_from(&wanted.allowed_hosts);
        }
        if fields.value {
            kept.value_time = at.as_micros();
        } else if kept == known {
            return Ok(shown(&row)?);
        }
        let about = about(row.uid, &row.project, &row.id, &kept);
        let sealed = if fields.value {
            Some(seal(state, &about, &wanted.value))
        } else if kept.allowed_hosts == known.allowed_hosts {
            None
        } else {
            // It opens for its hosts only.
            Some(seal(state, &about, &opened(state, &wanted.name).await?.0))
        };
        let update = SecretUpdate {
            uid: row.uid,
            expected_version: row.version,
            settings: kept.encode_to_vec().into(),
            sealed,
            at,
        };
        match state.secrets.update_secret(update).await {
            Err(StoreError::Stale { .. }) if wanted.etag.is_empty() && tries < TRIES => tries += 1,
            Err(error) => return Err(of_secret(&wanted.name)(error)),
            Ok(row) => return Ok(shown(&row)?),
        }
    }
}

pub(crate) async fn open(state: &State, call: Call<OpenSecretRequest>) -> Result<OpenSecretResponse, Error> {
    let (value, kept) = opened(state, &call.message.name).await?;
    Ok(OpenSecretResponse { value, allowed_hosts: kept.allowed_hosts })
}

pub(crate) async fn delete(state: &State, call: Call<DeleteSecretRequest>) -> Result<(), Error> {
    let DeleteSecretRequest { name: full, etag } = call.message;
    let (project, id) = split(&full);
    let expected = match etag.as_str() {
        "" => None,
        etag => Some(etag.parse().map_err(|_| Error::EtagMismatch(full.clone()))?),
    };
    state.secrets.delete_secret(project, id, expected).await.map_err(of_secret(&full))
}

/// Which fields an update changes.
struct Fields {
    display_name: bool,
    value: bool,
    allowed_hosts: bool,
}

impl Fields {
    fn of(wanted: &Secret, paths: &[String]) -> Result<Self, Error> {
        let known = ["display_name", "value", "allowed_hosts", "*"];
        if let Some(path) = paths.iter().find(|path| !known.contains(&path.as_str())) {
            return Err(Error::field("update_mask", format!("{path:?} cannot be changed")));
        }
        let names = |field: &str| paths.iter().any(|path| path == field);
        if names("value") && wanted.value.is_empty() {
            return Err(Error::field("secret.value", "must not be empty"));
        }
        let all = names("*");
        let meant = |field: &str, is_set: bool| all || names(field) || (paths.is_empty() && is_set);
        Ok(Self {
            display_name: meant("display_name", !wanted.display_name.is_empty()),
            value: !wanted.value.is_empty() && meant("value", true),
            allowed_hosts: meant("allowed_hosts", !wanted.allowed_hosts.is_empty()),
        })
    }
}

/// What a value is sealed as: in the place of another secret, or with other hosts, it does not open.
fn about(uid: Uuid, project: &str, id: &str, kept: &Kept) -> Vec<u8> {
    let mut about = uid.as_bytes().to_vec();
    for part in [project, id].into_iter().chain(kept.allowed_hosts.iter().map(String::as_str)) {
        about.extend_from_slice(&(part.len() as u64).to_be_bytes());
        about.extend_from_slice(part.as_bytes());
    }
    about
}

fn seal(state: &State, about: &[u8], value: &str) -> Bytes {
    state.secret_seal.seal(about, value.as_bytes(), state.ids.bytes())
}

/// The value of a secret, and what is said of it.
async fn opened(state: &State, name: &str) -> Result<(String, Kept), Error> {
    let (project, id) = split(name);
    let found = state.secrets.sealed_secret(project, id).await.map_err(of_secret(name))?;
    let kept = Kept::read(found.uid, &found.settings)?;
    let opened = state.secret_seal.open(&about(found.uid, project, id, &kept), &found.sealed);
    let value = opened.and_then(|value| String::from_utf8(value.into()).ok());
    Ok((value.ok_or_else(|| Error::SecretUnreadable(name.to_owned()))?, kept))
}

async fn row(state: &State, name: &str) -> Result<SecretRow, Error> {
    let (project, id) = split(name);
    state.secrets.get_secret(project, id).await.map_err(of_secret(name))
}

/// Which request this is. It has a secret in it, which nobody may guess from what is kept.
fn known(state: &State, caller: &Caller, request_id: &str, request: &CreateSecretRequest) -> Option<Once> {
    let fingerprint = || state.secret_requests.of(&[&request.encode_to_vec()]);
    once::with_fingerprint(&caller.name, "CreateSecret", request_id, fingerprint)
}

fn of_secret(name: &str) -> impl Fn(StoreError) -> Error {
    let name = full(split(name).0, split(name).1);
    move |error| match error {
        StoreError::NotFound { .. } => Error::SecretNotFound(name.clone()),
        StoreError::Stale { .. } => Error::EtagMismatch(name.clone()),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(wanted: &Secret, paths: &[&str]) -> Option<[bool; 3]> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let fields = Fields::of(wanted, &paths).ok()?;
        Some([fields.display_name, fields.value, fields.allowed_hosts])
    }

    #[test]
    fn a_mask_says_what_is_changed_and_no_value_is_emptied() {
        let named = Secret { display_name: "new".into(), ..Secret::default() };
        let valued = Secret { value: "v".into(), ..Secret::default() };
        assert_eq!(changed(&named, &[]), Some([true, false, false]));
        assert_eq!(changed(&valued, &[]), Some([false, true, false]));
        assert_eq!(changed(&named, &["*"]), Some([true, false, true]));
        assert_eq!(changed(&valued, &["*"]), Some([true, true, true]));
        assert_eq!(changed(&valued, &["allowed_hosts"]), Some([false, false, true]));
        assert_eq!(changed(&named, &["value"]), None);
        assert_eq!(changed(&valued, &["creator"]), None);
    }
}
