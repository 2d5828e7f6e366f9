//! What is derived from the mesh's secret: the seal of webhooks' secrets at rest, and the tokens in their addresses.
//!
//! A token is not stored: it is made of the trigger's identity and of how often it was replaced, so that it can be shown
//! again to whoever may see it, while who has read the database knows none. What is stored is its digest, to find the
//! trigger by.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use weft_kit::seal::Code;

/// Seals secrets and makes tokens.
#[derive(Clone)]
pub(crate) struct Seal {
    secrets: weft_kit::seal::Seal,
    tokens: Code,
    requests: Code,
}

impl Seal {
    /// From the mesh's secret. Each key serves one purpose.
    pub(crate) fn new(mesh_secret: &[u8; 32]) -> Self {
        Self {
            secrets: weft_kit::seal::Seal::new(mesh_secret, "weft trigger secrets v1"),
            tokens: Code::new(mesh_secret, "weft trigger tokens v1"),
            requests: Code::new(mesh_secret, "weft trigger requests v1"),
        }
    }

    /// A secret of a webhook, sealed.
    pub(crate) fn seal(&self, plain: &[u8], nonce: [u8; 24]) -> Vec<u8> {
        self.secrets.seal(&[], plain, nonce).into()
    }

    /// What was sealed; `None` if that was in another mesh, or it was changed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.secrets.open(&[], sealed).map(Vec::from)
    }

    /// What names a trigger in the path of its address.
    pub(crate) fn token(&self, uid: Uuid, generation: u64) -> String {
        URL_SAFE_NO_PAD.encode(self.tokens.of(&[uid.as_bytes(), &generation.to_be_bytes()]))
    }

    /// The digest of a request that may have secrets in it: nobody can guess them from it.
    pub(crate) fn digest(&self, request: &[u8]) -> [u8; 32] {
        self.requests.of(&[request])
    }
}

/// What a trigger is found by.
pub(crate) fn digest_of_token(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_trigger_and_one_generation() {
        let (seal, uid) = (Seal::new(&[1; 32]), Uuid::from_u128(7));
        let token = seal.token(uid, 0);
        assert_eq!(token.len(), 43);
        assert_eq!(token, Seal::new(&[1; 32]).token(uid, 0));
        for other in
            [seal.token(uid, 1), seal.token(Uuid::from_u128(8), 0), Seal::new(&[2; 32]).token(uid, 0)]
        {
            assert_ne!(token, other);
        }
    }
}
