//! What is derived from the mesh's secret, each key for one purpose: seals of what only the mesh may read at rest, and
//! codes that nobody else can make.

use bytes::Bytes;
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Seals and opens (XChaCha20-Poly1305). The key is not in the database, so whoever reads that has nothing.
#[derive(Clone)]
pub struct Seal(XChaCha20Poly1305);

impl Seal {
    /// For one purpose, which no other seal has.
    pub fn new(mesh_secret: &[u8; 32], purpose: &str) -> Self {
        Self(XChaCha20Poly1305::new(&derived(mesh_secret, purpose).into()))
    }

    /// Nonce and ciphertext. It opens only as what it is sealed as: `about` is whose it is, or empty. The nonce is
    /// random, and used once.
    ///
    /// # Panics
    ///
    /// Where `plain` has more than 256 GiB.
    pub fn seal(&self, about: &[u8], plain: &[u8], nonce: [u8; 24]) -> Bytes {
        let payload = Payload { msg: plain, aad: about };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).expect("less than 256 GiB");
        [&nonce[..], &sealed].concat().into()
    }

    /// What was sealed; `None` if that was in another mesh, for another purpose, as something else, or it was changed.
    pub fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Bytes> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<24>()?;
        let payload = Payload { msg: ciphertext, aad: about };
        self.0.decrypt(&XNonce::from(*nonce), payload).ok().map(Bytes::from)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Seal")
    }
}

/// Makes codes of what they are made of (HMAC-SHA-256): the same for the same, and nobody else can make them, nor guess
/// from one what it was made of.
#[derive(Clone)]
pub struct Code([u8; 32]);

impl Code {
    /// For one purpose, which no other code has.
    pub fn new(mesh_secret: &[u8; 32], purpose: &str) -> Self {
        Self(derived(mesh_secret, purpose))
    }

    /// The code of these bytes, one part after the other.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut code = <Hmac<Sha256> as Mac>::new_from_slice(&self.0)
            .unwrap_or_else(|_| unreachable!("any key is good"));
        for part in parts {
            code.update(part);
        }
        code.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Code")
    }
}

fn derived(mesh_secret: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(purpose);
    hash.update(mesh_secret);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_this_mesh_sealed_for_this_purpose_as_this() {
        let seal = Seal::new(&[1; 32], "tests");
        let sealed = seal.seal(b"k", b"secret", [3; 24]);
        assert_eq!(seal.open(b"k", &sealed).as_deref(), Some(&b"secret"[..]));
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(seal.open(b"other", &sealed), None);
        assert_eq!(Seal::new(&[2; 32], "tests").open(b"k", &sealed), None);
        assert_eq!(Seal::new(&[1; 32], "other").open(b"k", &sealed), None);
        let mut changed = sealed.to_vec();
        *changed.last_mut().expect("not empty") ^= 1;
        assert_eq!(seal.open(b"k", &changed), None);
        assert_eq!(seal.open(b"k", b"short"), None);
    }

    #[test]
    fn a_code_is_of_one_mesh_and_one_purpose() {
        let code = Code::new(&[1; 32], "tests").of(&[b"a", b"b"]);
        assert_eq!(code, Code::new(&[1; 32], "tests").of(&[b"ab"]));
        assert_ne!(code, Code::new(&[1; 32], "tests").of(&[b"a"]));
        assert_ne!(code, Code::new(&[2; 32], "tests").of(&[b"ab"]));
        assert_ne!(code, Code::new(&[1; 32], "other").of(&[b"ab"]));
    }
}
