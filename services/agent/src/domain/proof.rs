//! Has whoever asks the private key? What is signed begins with what it is for, so that no signature serves
//! twice.

use ed25519_dalek::{Signature, VerifyingKey};

/// What an agent signs to join.
pub(crate) const ENROLL: &[u8] = b"weft agent enroll v1";
/// What an agent signs to get a token.
pub(crate) const TOKEN: &[u8] = b"weft agent token v1";

/// Whether `signature` is that of `purpose`, a zero byte and `subject` by this key. Weak keys, for which a
/// signature says nothing, prove nothing.
pub(crate) fn holds(public_key: &[u8], purpose: &[u8], subject: &[u8], signature: &[u8]) -> bool {
    let Ok(key) =
        public_key.try_into().map_err(|_| ()).and_then(|key| VerifyingKey::from_bytes(key).map_err(|_| ()))
    else {
        return false;
    };
    let Ok(signature) = Signature::from_slice(signature) else { return false };
    !key.is_weak() && key.verify_strict(&[purpose, &[0], subject].concat(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    #[test]
    fn only_the_key_the_purpose_and_the_subject_that_were_signed() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let public = key.verifying_key().to_bytes();
        let signature = key.sign(b"weft agent enroll v1\0t").to_bytes();
        assert!(holds(&public, ENROLL, b"t", &signature));
        assert!(!holds(&public, TOKEN, b"t", &signature));
        assert!(!holds(&public, ENROLL, b"u", &signature));
        assert!(!holds(
            &SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes(),
            ENROLL,
            b"t",
            &signature
        ));
        assert!(!holds(&public[..31], ENROLL, b"t", &signature));
        assert!(!holds(&public, ENROLL, b"t", &signature[..63]));
        // The neutral element: it would accept a signature of anything by anybody.
        let mut weak = [0; 32];
        weak[0] = 1;
        assert!(!holds(&weak, ENROLL, b"t", &signature));
    }
}
