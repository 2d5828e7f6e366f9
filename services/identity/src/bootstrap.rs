//! The first key: somebody must be able to create the others.

use weft_kit::{Clock, Ids, MESH_PROJECT, Role, auth};
use weft_store::{IdentityStore, NewApiKey, StoreError, Written};

use crate::{Error, domain::name};

/// The administrator's key.
#[derive(Debug)]
pub struct Administrator {
    /// Its resource name.
    pub name: String,
    /// Its secret: to be written where only its owner reads.
    pub secret: weft_kit::config::Secret,
}

/// Creates an administrator's key of the whole mesh: `admin` the first time, and one with another
/// name when that one exists but its secret was lost.
///
/// # Errors
/// The store fails.
pub async fn administrator(
    store: &dyn IdentityStore,
    clock: &Clock,
    ids: &Ids,
) -> Result<Administrator, Error> {
    let secret = format!("{}{}", auth::API_KEY_PREFIX, ids.secret());
    let mut id = "admin".to_owned();
    loop {
        let key = NewApiKey {
            project: MESH_PROJECT.into(),
            id: id.clone(),
            uid: ids.uuid(),
            display_name: "Administrator of the mesh".into(),
            role: Role::Admin.into(),
            scopes: Vec::new(),
            digest: auth::digest(&secret),
            expires: None,
            at: clock.now().into(),
            creator: "services/identity".into(),
        };
        match store.create_api_key(key, None).await {
            Ok(Written::Done(_) | Written::Replayed(_)) => {
                let name = name::format(MESH_PROJECT, &id);
                return Ok(Administrator { name, secret: weft_kit::config::Secret::new(secret) });
            }
            Err(StoreError::AlreadyExists { .. }) => id = format!("admin-{}", ids.short()),
            Err(error) => return Err(error.into()),
        }
    }
}
