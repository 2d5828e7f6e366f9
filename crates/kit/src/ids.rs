//! New identities and secrets: from the system's randomness, or from a test's seed.

use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng, RngCore, SeedableRng, rngs::StdRng};
use uuid::Uuid;

/// A source of identities. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ids(Option<Arc<Mutex<StdRng>>>);

impl Ids {
    /// From the operating system's secure randomness.
    pub fn system() -> Self {
        Self::default()
    }

    /// The same identities in the same order each time. For tests only: they can be guessed.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// A new UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A new last part of a resource name: 12 lower-case letters and digits.
    pub fn short(&self) -> String {
        const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
        // 32 letters: five bits each, without bias.
        self.bytes::<12>().iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
    }

    /// A new secret of 256 bits as URL-safe text.
    pub fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// A number from 0 (included) to 1 (not included), for jitter.
    pub fn fraction(&self) -> f64 {
        self.with(|random| random.random::<f64>())
    }

    /// New random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|random| random.fill_bytes(&mut bytes));
        bytes
    }

    fn with<T>(&self, draw: impl FnOnce(&mut dyn RngCore) -> T) -> T {
        match &self.0 {
            None => draw(&mut rand::rng()),
            Some(seeded) => draw(&mut *seeded.lock().expect("drawing does not panic")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ids;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        assert_eq!(Ids::seeded(1).uuid(), Ids::seeded(1).uuid());
        assert_ne!(Ids::system().uuid(), Ids::system().uuid());
        assert_eq!(Ids::system().short().len(), 12);
        assert_eq!(Ids::system().secret().len(), 43);
    }
}
