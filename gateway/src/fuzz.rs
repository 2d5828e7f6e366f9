//! Targets of fuzzing: what must hold for whatever bytes there are.
//!
//! As tests they get the same few hundred inputs at every run, because luck has no place in CI, and those that a
//! fuzzer has left in `__fuzz__` beside them. CONTRIBUTING.md says how to look for others.

use std::panic::AssertUnwindSafe;

use bolero::{
    BorrowedInput, ByteSliceGenerator, DefaultEngine, Test, TestTarget,
    generator::bolero_generator::driver::Options,
};

const ROUNDS: u64 = 256;

/// Tries `holds` with up to `most` bytes at a time. `target` is `bolero::check!()`, which takes its name from where
/// it stands.
pub(crate) fn fuzz(
    target: TestTarget<ByteSliceGenerator, DefaultEngine, BorrowedInput>,
    most: usize,
    holds: impl FnMut(&[u8]),
) {
    // What a failure leaves behind is not looked at again.
    let mut holds = AssertUnwindSafe(holds);
    let mut test = move |bytes: &[u8]| {
        let AssertUnwindSafe(holds) = &mut holds;
        holds(&bytes[..bytes.len().min(most)]);
    };
    for round in 0..ROUNDS {
        let bytes = noise(round, most);
        if test.test(&mut &bytes[..]).is_err() {
            let least = test.shrink(bytes, None, &Options::default()).expect("it fails each time");
            panic!("round {round}: {least:#}");
        }
    }
    // None at random, unless BOLERO_RANDOM_ITERATIONS asks for some.
    target.with_iterations(0).for_each(test);
}

/// Up to `most` bytes without a pattern (splitmix64, Steele, Lea and Flood, 2014).
fn noise(seed: u64, most: usize) -> Vec<u8> {
    let mut state = seed << 32;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    };
    let length = next() as usize % (most + 1);
    std::iter::repeat_with(|| next() as u8).take(length).collect()
}
