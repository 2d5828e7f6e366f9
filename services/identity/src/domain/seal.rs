//! Signing keys at rest: sealed with a key that is not in the database.

use bytes::Bytes;
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use sha2::{Digest, Sha256};

/// Seals and opens seeds of signing keys (XChaCha20-Poly1305; the key's id is authenticated too).
#[derive(Clone)]
pub(crate) struct Seal(XChaCha20Poly1305);

impl Seal {
    /// From the mesh's secret. What seals is derived from it, so that it serves no other purpose.
    pub(crate) fn new(mesh_secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"weft identity signing keys v1");
        hash.update(mesh_secret);
        Self(XChaCha20Poly1305::new(&hash.finalize()))
    }

    /// Nonce and ciphertext.
    pub(crate) fn seal(&self, kid: &str, seed: &[u8; 32], nonce: [u8; 24]) -> Bytes {
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: seed, aad: kid.as_bytes() })
            .expect("32 bytes are not too long");
        [&nonce[..], &sealed].concat().into()
    }

    /// The seed; `None` if it was sealed by another mesh, for another key, or was changed.
    pub(crate) fn open(&self, kid: &str, sealed: &[u8]) -> Option<[u8; 32]> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<24>()?;
        let payload = Payload { msg: ciphertext, aad: kid.as_bytes() };
        let opened = self.0.decrypt(&XNonce::from(*nonce), payload).ok()?;
        opened.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_this_mesh_sealed_for_this_key() {
        let seal = Seal::new(&[1; 32]);
        let sealed = seal.seal("k", &[7; 32], [3; 24]);
        assert_eq!(seal.open("k", &sealed), Some([7; 32]));
        assert_eq!(seal.open("other", &sealed), None);
        assert_eq!(Seal::new(&[2; 32]).open("k", &sealed), None);
        let mut changed = sealed.to_vec();
        *changed.last_mut().expect("not empty") ^= 1;
        assert_eq!(seal.open("k", &changed), None);
        assert_eq!(seal.open("k", b"short"), None);
    }
}
