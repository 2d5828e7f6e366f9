//! What an access token says.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::{Caller, CallerKind, Role};

/// Who signs tokens of people and programs.
pub const ISSUER: &str = "weft";
/// Who signs tokens of processes of the mesh.
pub const MESH_ISSUER: &str = "weft-mesh";
/// For whom tokens are.
pub const AUDIENCE: &str = "weft";

/// The claims of an access token (RFC 7519), and ours: `name`, `grants`, `scopes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed: [`ISSUER`] or [`MESH_ISSUER`].
    pub iss: String,
    /// For whom: [`AUDIENCE`].
    pub aud: String,
    /// Resource name of the principal, or `services/…`.
    pub sub: String,
    /// From when on it is refused, in seconds since 1970.
    pub exp: u64,
    /// Before when it is refused.
    pub nbf: u64,
    /// When it was signed.
    pub iat: u64,
    /// When the principal first proved itself in this row of tokens.
    pub auth_time: u64,
    /// Identity of the token.
    pub jti: String,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// Role by project id: "viewer", "operator" or "admin".
    #[serde(default)]
    pub grants: BTreeMap<String, String>,
    /// Scopes that narrow the roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

impl Claims {
    /// The caller that the claims describe. A role that this version does not know is no role.
    pub fn caller(&self) -> Caller {
        let mesh = self.iss == MESH_ISSUER;
        Caller {
            name: Arc::from(self.sub.as_str()),
            display_name: Arc::from(if self.name.is_empty() { &*self.sub } else { &*self.name }),
            kind: if mesh { CallerKind::Mesh } else { CallerKind::Principal },
            grants: self.grants.iter().map(|(project, role)| (project.clone(), role_of(role))).collect(),
            scopes: Arc::from(self.scopes.as_slice()),
            expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(self.exp)),
            address: None,
        }
    }

    /// The roles of a caller as claims say them.
    pub fn grants_of(caller: &Caller) -> BTreeMap<String, String> {
        caller.grants.iter().map(|(project, role)| (project.clone(), word_of(*role).to_owned())).collect()
    }
}

fn role_of(word: &str) -> Role {
    match word {
        "viewer" => Role::Viewer,
        "operator" => Role::Operator,
        "admin" => Role::Admin,
        _ => Role::Unspecified,
    }
}

fn word_of(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "",
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}
