//! What is derived from the mesh's secret: the seal of webhooks' secrets at rest, and the tokens in their addresses.
//!
//! A token is not stored: it is made of the trigger's identity and of how often it was replaced, so that it can be shown
//! again to whoever may see it, while who has read the database knows none. What is stored is its digest, to find the
//! trigger by.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Seals secrets and makes tokens.
#[derive(Clone)]
pub(crate) struct Seal {
    secrets: XChaCha20Poly1305,
    tokens: [u8; 32],
    requests: [u8; 32],
}

impl Seal {
    /// From the mesh's secret. Each key serves one purpose.
    pub(crate) fn new(mesh_secret: &[u8; 32]) -> Self {
        let derived = |purpose: &str| {
            let mut hash = Sha256::new();
            hash.update(purpose);
            hash.update(mesh_secret);
            hash.finalize()
        };
        Self {
            secrets: XChaCha20Poly1305::new(&derived("weft trigger secrets v1")),
            tokens: derived("weft trigger tokens v1").into(),
            requests: derived("weft trigger requests v1").into(),
        }
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, plain: &[u8], nonce: [u8; 24]) -> Vec<u8> {
        let sealed = self.secrets.encrypt(&XNonce::from(nonce), plain).expect("a secret is not too long");
        [&nonce[..], &sealed].concat()
    }

    /// What was sealed; `None` if that was in another mesh, or it was changed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<24>()?;
        self.secrets.decrypt(&XNonce::from(*nonce), ciphertext).ok()
    }

    /// What names a trigger in the path of its address.
    pub(crate) fn token(&self, uid: Uuid, generation: u64) -> String {
        let code = keyed(&self.tokens, &[uid.as_bytes(), &generation.to_be_bytes()]);
        URL_SAFE_NO_PAD.encode(code)
    }

    /// The digest of a request that may have secrets in it: nobody can guess them from it.
    pub(crate) fn digest(&self, request: &[u8]) -> [u8; 32] {
        keyed(&self.requests, &[request])
    }
}

/// What a trigger is found by.
pub(crate) fn digest_of_token(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut code = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any key is good");
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_this_mesh_sealed() {
        let sealed = Seal::new(&[1; 32]).seal(b"secret", [3; 24]);
        assert_eq!(Seal::new(&[1; 32]).open(&sealed).as_deref(), Some(&b"secret"[..]));
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert!(Seal::new(&[2; 32]).open(&sealed).is_none());
    }

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
