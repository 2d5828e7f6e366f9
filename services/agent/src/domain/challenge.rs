//! Challenges that nobody has to remember: what is in them was written by this mesh and nobody else.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// How long a challenge is good, in seconds.
pub(crate) const LIFETIME_SECONDS: u64 = 120;

/// When it ends, and randomness; then the code of both and of the agent's name.
const HEAD: usize = 8 + 16;

/// Makes and checks challenges; every process of a mesh has the same.
#[derive(Clone)]
pub(crate) struct Challenges([u8; 32]);

impl Challenges {
    /// From the mesh's secret. What signs is derived from it, so that it serves no other purpose.
    pub(crate) fn new(mesh_secret: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"weft agent challenges v1");
        hash.update(mesh_secret);
        Self(hash.finalize().into())
    }

    /// A challenge for an agent that is good until `expires` (seconds since 1970).
    pub(crate) fn make(&self, name: &str, expires: u64, random: [u8; 16]) -> Vec<u8> {
        let mut challenge = expires.to_be_bytes().to_vec();
        challenge.extend(random);
        let code = self.code(name, &challenge).finalize().into_bytes();
        challenge.extend(code);
        challenge
    }

    /// Whether it is one for this agent, and still good.
    pub(crate) fn is_good(&self, name: &str, challenge: &[u8], now: u64) -> bool {
        let Some((head, code)) = challenge.split_at_checked(HEAD) else { return false };
        let Some(expires) = head.first_chunk::<8>() else { return false };
        now < u64::from_be_bytes(*expires) && self.code(name, head).verify_slice(code).is_ok()
    }

    fn code(&self, name: &str, head: &[u8]) -> Hmac<Sha256> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length is good");
        code.update(head);
        code.update(name.as_bytes());
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_for_its_agent_its_mesh_and_its_time() {
        let mesh = Challenges::new(&[1; 32]);
        let challenge = mesh.make("a", 100, [7; 16]);
        assert!(mesh.is_good("a", &challenge, 99));
        assert!(!mesh.is_good("a", &challenge, 100));
        assert!(!mesh.is_good("b", &challenge, 99));
        assert!(!Challenges::new(&[2; 32]).is_good("a", &challenge, 99));
        for place in 0..challenge.len() {
            let mut changed = challenge.clone();
            changed[place] ^= 1;
            assert!(!mesh.is_good("a", &changed, 99), "byte {place}");
            assert!(!mesh.is_good("a", &challenge[..place], 99), "cut at {place}");
        }
    }
}
