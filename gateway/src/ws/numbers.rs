//! Which call numbers were used on a socket: each is good once.

use std::collections::BTreeMap;

/// The used numbers, as ranges that do not touch: one range for a client that counts.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeMap<u64, u64>);

/// Most ranges that are remembered. A client that leaves more gaps does not count, but probes.
const MOST_RANGES: usize = 256;

/// Why a number cannot begin a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberError {
    /// Calls are numbered from 1.
    Zero,
    /// It was used before.
    Used,
    /// The numbers have too many gaps.
    Scattered,
}

impl Numbers {
    /// Whether a call of this number was ever begun.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// Takes a number.
    ///
    /// # Errors
    /// Why it cannot be taken.
    pub(super) fn take(&mut self, number: u64) -> Result<(), NumberError> {
        if number == 0 {
            return Err(NumberError::Zero);
        }
        if self.contains(number) {
            return Err(NumberError::Used);
        }
        let before = self.0.range(..number).next_back().map(|(first, last)| (*first, *last));
        let first = match before {
            Some((first, last)) if last + 1 == number => first,
            _ => number,
        };
        let last = number.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(number);
        self.0.insert(first, last);
        if self.0.len() > MOST_RANGES { Err(NumberError::Scattered) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_good_once() {
        let mut numbers = Numbers::default();
        for number in [1, 2, 5, 4, 3, u64::MAX, 9] {
            assert!(!numbers.contains(number));
            assert_eq!(numbers.take(number), Ok(()), "{number}");
            assert!(numbers.contains(number));
            assert_eq!(numbers.take(number), Err(NumberError::Used), "{number}");
        }
        assert_eq!(numbers.take(0), Err(NumberError::Zero));
        assert_eq!(numbers.0, BTreeMap::from([(1, 5), (9, 9), (u64::MAX, u64::MAX)]));
    }

    #[test]
    fn memory_is_bounded() {
        let mut numbers = Numbers::default();
        for number in 1..=1_000_000 {
            numbers.take(number).expect("a client that counts");
        }
        assert_eq!(numbers.0.len(), 1);
        let scattered = (0..).map(|step| 2_000_000 + 2 * step).find_map(|number| numbers.take(number).err());
        assert_eq!(scattered, Some(NumberError::Scattered));
        assert!(numbers.0.len() <= MOST_RANGES + 1);
    }
}
