//! When is a call asked again before it was answered? What `(weft.options.v1.hedging)` says, checked.

use std::time::Duration;

use tonic::Code;

use crate::generated::weft::options::v1;

/// Attempts at once where a contract does not say.
const USUAL: u32 = 2;
/// Most that a contract may ask for (gRFC A6).
const MOST: u32 = 5;

/// When a call is asked again elsewhere because it takes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hedging {
    /// How long an attempt may take before the next one begins beside it.
    pub delay: Duration,
    /// Most attempts at once, the first one included: 2 to 5.
    pub max_concurrent_attempts: u32,
    /// Errors that are no answer while another attempt runs, or may begin. UNAVAILABLE is one of them always.
    pub non_fatal_codes: Vec<Code>,
}

impl Hedging {
    /// Two attempts at once, the second after `delay`.
    pub fn after(delay: Duration) -> Self {
        Self { delay, max_concurrent_attempts: USUAL, non_fatal_codes: Vec::new() }
    }

    /// Whether an error with this code is not yet the answer.
    pub fn is_non_fatal(&self, code: Code) -> bool {
        code == Code::Unavailable || self.non_fatal_codes.contains(&code)
    }
}

impl TryFrom<v1::Hedging> for Hedging {
    type Error = &'static str;

    fn try_from(hedging: v1::Hedging) -> Result<Self, Self::Error> {
        let delay = hedging.delay.ok_or("its hedging names no `delay`")?;
        let delay = Duration::try_from(delay).map_err(|_| "its hedging begins before the call")?;
        let max_concurrent_attempts = match hedging.max_concurrent_attempts {
            0 => USUAL,
            attempts @ 2..=MOST => attempts,
            _ => return Err("its hedging is of 2 to 5 attempts at once"),
        };
        // A number that is no code would become UNKNOWN, which may be a code that counts.
        let codes = hedging.non_fatal_codes.into_iter().filter(|code| (1..=16).contains(code));
        Ok(Self { delay, max_concurrent_attempts, non_fatal_codes: codes.map(Code::from_i32).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_contract_may_say() {
        let delay = Some(prost_types::Duration { seconds: 0, nanos: 1_000_000 });
        let said = |max_concurrent_attempts, delay, codes: &[i32]| {
            let non_fatal_codes = codes.to_vec();
            Hedging::try_from(v1::Hedging { delay, max_concurrent_attempts, non_fatal_codes })
        };
        assert_eq!(said(0, delay, &[]), Ok(Hedging::after(Duration::from_millis(1))));
        let full = said(5, delay, &[13, 99, 0]).expect("it is in order");
        assert_eq!((full.max_concurrent_attempts, &*full.non_fatal_codes), (5, &[Code::Internal][..]));
        assert!(full.is_non_fatal(Code::Unavailable) && full.is_non_fatal(Code::Internal));
        assert!(!full.is_non_fatal(Code::Unknown) && !full.is_non_fatal(Code::Ok));
        for (attempts, delay) in
            [(1, delay), (6, delay), (2, None), (2, Some(prost_types::Duration { seconds: -1, nanos: 0 }))]
        {
            assert!(said(attempts, delay, &[]).is_err(), "{attempts} {delay:?}");
        }
    }
}
