//! What follows a header: how long it is, and the steps of its columns of 16 bits.

use super::{Corners, FrameEncoding, Header, IDS, RECORD_BYTES, grid::Grid};

/// Length of the body that a header asks for, of steps at least. Cannot overflow: fewer than 2^32
/// nodes, 40 bytes each.
pub(super) fn body_length(header: &Header) -> usize {
    let count = header.count as usize;
    let ids = if header.has(IDS) { count * 4 } else { 0 };
    ids + match header.encoding {
        FrameEncoding::Record34 => count * RECORD_BYTES,
        FrameEncoding::ColumnsQ16 => (count * 2).next_multiple_of(4) * header.dimensions(),
        FrameEncoding::Delta => Grid::BYTES,
        FrameEncoding::ColumnsF32 | FrameEncoding::Unspecified => count * 4 * header.dimensions(),
    }
}

/// The 65,535 steps of one axis of the bounding box.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    min: f64,
    extent: f64,
}

/// Number of steps between the two ends of an axis.
const STEPS: f64 = 65_535.0;

impl Steps {
    pub(super) fn of((min, max): Corners, axis: usize) -> Self {
        // In double precision, so that the stated error is that of the steps and nothing else.
        Self { min: f64::from(min[axis]), extent: f64::from(max[axis]) - f64::from(min[axis]) }
    }

    pub(super) fn quantise(self, value: f32) -> [u8; 2] {
        // An axis without extent has one place only: step 0.
        let share = if self.extent > 0.0 { (f64::from(value) - self.min) / self.extent } else { 0.0 };
        // The cast is within range: a share lies in 0 to 1, and casts of floats saturate.
        ((share * STEPS).round() as u16).to_le_bytes()
    }

    pub(super) fn value(self, step: u16) -> f32 {
        (self.min + self.extent * f64::from(step) / STEPS) as f32
    }
}
