//! Secret arguments at rest: sealed with a key that is not in the database; and digests of requests that nobody
//! can guess a secret from.

use bytes::Bytes;
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Seals and opens arguments (XChaCha20-Poly1305).
#[derive(Clone)]
pub(crate) struct Seal {
    cipher: XChaCha20Poly1305,
    requests: [u8; 32],
}

impl Seal {
    /// From the mesh's secret. What seals is derived from it, so that it serves no other purpose.
    pub(crate) fn new(mesh_secret: &[u8; 32]) -> Self {
        let derived = |purpose: &str| {
            let mut hash = Sha256::new();
            hash.update(purpose);
            hash.update(mesh_secret);
            hash.finalize()
        };
        Self {
            cipher: XChaCha20Poly1305::new(&derived("weft command arguments v1")),
            requests: derived("weft command requests v1").into(),
        }
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, plain: &[u8], nonce: [u8; 24]) -> Bytes {
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), plain).expect("arguments are not too long");
        [&nonce[..], &sealed].concat().into()
    }

    /// What was sealed; `None` if that was in another mesh, or it was changed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Bytes> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<24>()?;
        self.cipher.decrypt(&XNonce::from(*nonce), ciphertext).ok().map(Bytes::from)
    }

    /// The digest of a request that may have secrets in it.
    pub(crate) fn digest(&self, request: &[u8]) -> [u8; 32] {
        let mut code = <Hmac<Sha256> as Mac>::new_from_slice(&self.requests).expect("any key is good");
        code.update(request);
        code.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_this_mesh_sealed() {
        let seal = Seal::new(&[1; 32]);
        let sealed = seal.seal(b"secret", [3; 24]);
        assert_eq!(seal.open(&sealed).expect("its own"), "secret");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert!(Seal::new(&[2; 32]).open(&sealed).is_none());
        assert!(seal.open(b"short").is_none());
        assert_ne!(seal.digest(b"a"), Seal::new(&[2; 32]).digest(b"a"));
    }
}
