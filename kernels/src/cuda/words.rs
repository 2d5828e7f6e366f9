//! What host and device tell each other in a tick: the structures of `kernels/cuda/types.cuh`, as bytes.

use crate::cpu::gravity::Gravity;
use crate::scene::Scene;
use crate::{Bounds, Dim};

/// Bytes of `Report` on the device.
pub(super) const REPORT_BYTES: usize = 80;

/// What can change between two ticks without any buffer changing its size: `Knobs` on the device.
/// `softening` and `least_reach` are in world units.
pub(super) fn knobs(scene: &Scene<'_>, softening: f32, least_reach: f32) -> Vec<u8> {
    let params = scene.params;
    let gravity = Gravity::new(params, scene.total_mass);
    let (contain_from, contain_strength) = gravity.containment();
    let mut bytes = scene.seed.to_le_bytes().to_vec();
    let numbers = [
        params.repulsion,
        params.attraction,
        params.gravity,
        params.damping,
        params.step,
        params.max_speed,
        scene.heat,
        params.rest_length(),
        softening,
        least_reach,
        contain_from,
        contain_strength,
        gravity.outermost(),
    ];
    let axes = match scene.dim {
        Dim::Two => 2,
        Dim::Three => 3,
    };
    let switches = [u32::from(params.strong_gravity), u32::from(params.lin_log), axes];
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(switches.iter().flat_map(|switch| switch.to_le_bytes()));
    bytes
}

/// What a tick found out: `Report` on the device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    /// Sum of the squares of the near cells' counts.
    pub(super) squares: u64,
    /// Sum of the distances that free nodes moved.
    pub(super) moved: f64,
    pub(super) longest: f32,
    pub(super) free: u32,
    /// Box round all nodes before the tick.
    pub(super) bounds: Bounds,
    /// Corner of the near cells.
    pub(super) origin: [f32; 3],
    /// Near cells per world unit.
    pub(super) scale: f32,
    /// Side of a near cell.
    pub(super) reach: f32,
    pub(super) extent: f32,
    /// Near cells are as narrow as may be.
    pub(super) finest: bool,
    /// Free nodes that were moved away from others in the same place.
    pub(super) parted: u32,
}

impl Report {
    /// Reads the first [`REPORT_BYTES`] of `bytes`.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[4 * at + byte]));
        let float = |at| f32::from_bits(word(at));
        let point = |at| [float(at), float(at + 1), float(at + 2)];
        let long = |at| u64::from(word(at)) | u64::from(word(at + 1)) << 32;
        Self {
            squares: long(0),
            moved: f64::from_bits(long(2)),
            longest: float(4),
            free: word(5),
            bounds: Bounds { min: point(6), max: point(9) },
            origin: point(12),
            scale: float(15),
            reach: float(16),
            extent: float(17),
            finest: word(18) != 0,
            parted: word(19),
        }
    }
}
