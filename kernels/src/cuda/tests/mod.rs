//! Do the kernels compute what their twins do, and ticks what the processor's do?
//!
//! Everything here runs through the driver's interface. Normally the driver is a stand-in that runs the
//! kernels' sources on this processor (`kernels/cuda/emulator`); the tests in `device.rs` are ignored unless
//! asked for, and run the same on a real device.

mod costs;
mod device;
mod emulator;
mod machine;
mod probing;
mod ptx;
mod several;
mod sharing;
mod stages;
mod ticks;
mod transforms;
mod vectors;

use crate::Devices;
use crate::device::Wanted;

/// The first device alone.
const FIRST: Wanted = Wanted::These(Devices::FIRST);
