//! Values that are none. All are NaNs of reserved bits, so that a column stays a column of numbers.

/// There is no sample. Never leaves this crate's own structures.
pub const ABSENT: f64 = f64::from_bits(0x7ff0_0000_0000_0bad);

/// The series has ended here, as Prometheus marks it: its last value is not to be looked back to.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether there is no sample.
pub fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// Whether the series has ended here.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE.to_bits()
}

/// A value as it may be kept: what would be mistaken for an absent one is an ordinary NaN.
pub fn kept(value: f64) -> f64 {
    if is_absent(value) { f64::NAN } else { value }
}
