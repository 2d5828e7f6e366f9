//! The numbers that are sent: of each host seven walks, eight counters and five constants, which rise and fall as those
//! of real hosts do, and share their times.

use weft_series::Batch;

/// Rows of a host.
pub(super) const ROWS: usize = 500;
/// From one to the next, in milliseconds.
pub(super) const EVERY: i64 = 15_000;
/// Series of a host.
pub(super) const METRICS: usize = 20;

/// Numbers as a seed gives them (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end) as f64
    }
}

pub(super) fn metric(number: usize) -> String {
    format!("load_metric_{number}_total")
}

pub(super) fn host(number: usize) -> String {
    format!("host-{number:04}.example.org")
}

/// All rows of a host, the newest of them at `last`.
pub(super) fn rows(number: usize, last: i64) -> Batch {
    let mut random = Random((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut columns: Vec<(u32, Vec<f64>)> = Vec::with_capacity(METRICS);
    // Of none, one, two and three decimals, a percentage, and one of pages of memory.
    for (walk, scale) in (0_u32..).zip([1.0, 10.0, 100.0, 1_000.0, 10.0, 100.0, 1.0]) {
        let (mut at, unit) = (5_000.0, if walk == 6 { 4_096.0 } else { 1.0 });
        let values = (0..ROWS).map(|_| {
            at += random.below(41) - 20.0;
            at * unit / scale
        });
        columns.push((walk, values.collect()));
    }
    for counter in 0..8_u32 {
        let mut at = random.below(1_000_000_000);
        let values = (0..ROWS).map(|_| {
            at += if counter == 7 { f64::from(random.below(20) < 1.0) } else { random.below(500) };
            if counter == 6 { at / 100.0 } else { at }
        });
        columns.push((7 + counter, values.collect()));
    }
    for constant in 0..5_u32 {
        columns.push((15 + constant, vec![f64::from(constant) * 1_073_741_824.0; ROWS]));
    }
    // Each host has a phase of its own, and a fifth of its rows come a little early or late.
    let first = last - (ROWS as i64 - 1) * EVERY - (number as i64 * 37) % EVERY;
    let times = (0..ROWS as i64)
        .map(|row| first + row * EVERY + if row % 5 == 0 { random.below(5) as i64 - 2 } else { 0 });
    Batch { times: times.collect(), columns }
}
