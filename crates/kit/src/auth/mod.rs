//! Who is calling: tokens, keys, and how a credential becomes a [`Caller`](crate::Caller).
//!
//! Two kinds of credential reach the mesh in `authorization: Bearer …`: *access tokens* (JWTs
//! signed with EdDSA, checked here against published keys) and *API keys* (`weft_…`, looked up
//! in the identity service and remembered for seconds). Processes of the mesh call each other
//! with tokens that they sign themselves with the mesh key.

mod authenticator;
mod claims;
mod keys;
mod mesh;
mod source;

pub use authenticator::Authenticator;
pub use claims::{AUDIENCE, Claims, ISSUER, MESH_ISSUER};
pub use keys::{SigningKey, TokenError, VerifyingKeys, json_web_key, thumbprint};
pub use mesh::MeshIdentity;
pub use source::{IdentitySource, PeerIdentity};

use sha2::{Digest, Sha256};

/// What every API key begins with, so that leaked ones can be found by scanners.
pub const API_KEY_PREFIX: &str = "weft_";

/// The digest that stands for a secret wherever the mesh keeps or compares it. Secrets are 256
/// random bits, so a plain SHA-256 cannot be reversed by guessing.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
