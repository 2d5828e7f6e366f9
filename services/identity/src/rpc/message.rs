//! Between rows of the store and messages of the contract.

use std::time::SystemTime;

use weft_kit::{Caller, Role};
use weft_proto::weft::identity::v1::{ApiKey, Grant, Principal};
use weft_store::{ApiKeyRow, StoreError, Timestamp};

use crate::{Error, domain::name};

/// A key without its secret.
pub(crate) fn api_key(row: &ApiKeyRow) -> ApiKey {
    ApiKey {
        name: name::format(&row.project, &row.id),
        uid: row.uid.to_string(),
        display_name: row.display_name.clone(),
        role: row.role,
        scopes: row.scopes.clone(),
        expire_time: row.expires.map(Into::into),
        revoke_time: row.revoked.map(Into::into),
        create_time: Some(row.created.into()),
        last_use_time: row.last_used.map(Into::into),
        creator: row.creator.clone(),
        secret: String::new(),
    }
}

/// Whom a key stands for.
pub(crate) fn principal_of_key(row: &ApiKeyRow) -> Principal {
    Principal {
        name: name::format(&row.project, &row.id),
        display_name: row.display_name.clone(),
        grants: vec![Grant { project: format!("projects/{}", row.project), role: row.role }],
        scopes: row.scopes.clone(),
        expire_time: row.expires.map(Into::into),
    }
}

/// Whom a caller stands for.
pub(crate) fn principal_of_caller(caller: &Caller) -> Principal {
    let grant = |(project, role): &(String, Role)| Grant {
        project: format!("projects/{project}"),
        role: (*role).into(),
    };
    Principal {
        name: caller.name.to_string(),
        display_name: caller.display_name.to_string(),
        grants: caller.grants.iter().map(grant).collect(),
        scopes: caller.scopes.to_vec(),
        expire_time: caller.expires.map(|at| Timestamp::from(at).into()),
    }
}

/// Whether a key is good at a time.
pub(crate) fn is_good(row: &ApiKeyRow, now: SystemTime) -> bool {
    row.revoked.is_none() && row.expires.is_none_or(|expires| Timestamp::from(now) < expires)
}

/// A store's failure to find a key, by its name.
pub(crate) fn not_found(name: &str) -> impl FnOnce(StoreError) -> Error + '_ {
    move |error| match error {
        StoreError::NotFound { .. } => Error::KeyNotFound(name.to_owned()),
        error => error.into(),
    }
}
