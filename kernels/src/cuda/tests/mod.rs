//! Do the kernels compute what their twins do, and ticks what the processor's do?
//!
//! Everything here runs through the driver's interface. Normally the driver is a stand-in that runs the
//! kernels' sources on this processor (`kernels/cuda/emulator`); the tests in `device.rs` are ignored unless
//! asked for, and run the same on a real device.

mod device;
mod emulator;
mod machine;
mod probing;
mod ptx;
mod stages;
mod ticks;
mod transforms;
mod vectors;
