//! Secrets of webhooks at rest: sealed with a key that is not in the database (XChaCha20-Poly1305).

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit},
};
use sha2::{Digest, Sha256};

/// Seals and opens.
#[derive(Clone)]
pub(crate) struct Seal(XChaCha20Poly1305);

impl Seal {
    /// From the mesh's secret. What seals is derived from it, so that it serves no other purpose.
    pub(crate) fn new(mesh_secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update("weft webhook secrets v1");
        hash.update(mesh_secret);
        Self(XChaCha20Poly1305::new(&hash.finalize()))
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, plain: &[u8], nonce: [u8; 24]) -> Vec<u8> {
        let sealed = self.0.encrypt(&XNonce::from(nonce), plain).expect("a secret is not too long");
        [&nonce[..], &sealed].concat()
    }

    /// What was sealed; `None` if that was in another mesh, or it was changed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<24>()?;
        self.0.decrypt(&XNonce::from(*nonce), ciphertext).ok()
    }
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
}
