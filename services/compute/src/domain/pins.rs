//! Which nodes are pinned where, and how that is kept in the store.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Pinned nodes and their places, in ascending order of the ordinals.
///
/// Kept as records of 16 bytes, little-endian: u32 ordinal, then x, y and z as f32.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pins(pub(crate) BTreeMap<u32, [f32; 3]>);

const RECORD: usize = 16;

impl Pins {
    /// Reads what [`Self::encode`] wrote; `None` where it cannot be that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (records, []) = bytes.as_chunks::<RECORD>() else { return None };
        let mut pins = BTreeMap::new();
        for record in records {
            let (words, _) = record.as_chunks::<4>();
            let place = [1, 2, 3].map(|word| f32::from_le_bytes(words[word]));
            if !place.iter().all(|value| value.is_finite()) {
                return None;
            }
            pins.insert(u32::from_le_bytes(words[0]), place);
        }
        Some(Self(pins))
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.0.len() * RECORD);
        for (ordinal, place) in &self.0 {
            out.extend_from_slice(&ordinal.to_le_bytes());
            for value in place {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_come_back_and_nothing_else_does() {
        let pins = Pins(BTreeMap::from([(3, [1.0, -2.5, 0.0]), (900_000, [0.0; 3])]));
        assert_eq!(Pins::decode(&pins.encode()), Some(pins.clone()));
        // The bytes are kept for years: they do not change by accident.
        assert_eq!(pins.encode()[..8], [3, 0, 0, 0, 0, 0, 0x80, 0x3f]);
        assert_eq!(Pins::decode(&[]), Some(Pins::default()));
        assert_eq!(Pins::decode(&pins.encode()[1..]), None);
        let broken = Pins(BTreeMap::from([(3, [f32::NAN, 0.0, 0.0])]));
        assert_eq!(Pins::decode(&broken.encode()), None);
    }
}
