//! How processes of one mesh prove to each other that they belong to it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use super::{AUDIENCE, Claims, MESH_ISSUER, SigningKey};
use crate::{Clock, Ids};

/// How long a service's token is good, in seconds. It is renewed at half of that.
const LIFETIME_SECONDS: u64 = 300;

/// The identity of one service in the mesh: it signs its own short-lived tokens with the mesh
/// key, which all processes of the mesh hold. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MeshIdentity {
    service: Arc<str>,
    key: SigningKey,
    clock: Clock,
    ids: Ids,
    current: Arc<Mutex<Option<Signed>>>,
}

/// A token and when it was signed.
#[derive(Debug)]
struct Signed {
    at: u64,
    token: Arc<str>,
}

impl MeshIdentity {
    /// The identity of the service `service` in the mesh whose key is `key`.
    pub fn new(service: &str, key: SigningKey, clock: Clock, ids: Ids) -> Self {
        Self { service: Arc::from(service), key, clock, ids, current: Arc::default() }
    }

    /// A token that is good for some minutes.
    pub fn token(&self) -> Arc<str> {
        let now = self.clock.unix_seconds();
        let mut current = self.current.lock().expect("signing does not panic");
        match &*current {
            Some(signed) if now.saturating_sub(signed.at) < LIFETIME_SECONDS / 2 => Arc::clone(&signed.token),
            _ => {
                let token: Arc<str> = Arc::from(self.sign(now));
                *current = Some(Signed { at: now, token: Arc::clone(&token) });
                token
            }
        }
    }

    fn sign(&self, now: u64) -> String {
        self.key.sign(&Claims {
            iss: MESH_ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: format!("services/{}", self.service),
            exp: now + LIFETIME_SECONDS,
            nbf: now,
            iat: now,
            auth_time: now,
            jti: self.ids.uuid().to_string(),
            name: self.service.to_string(),
            grants: BTreeMap::new(),
            scopes: Vec::new(),
        })
    }
}
