//! The layout on a CUDA device, or several: the same method as on the processor, with the same formulas.
//!
//! The kernels are in `kernels/cuda/*.cu`, compiled to PTX when they change (`tools/make-ptx`) and carried
//! by this crate: a host should need the driver of its device and nothing else, and where there is no driver,
//! asking for a device is an error and not a panic.
//!
//! | file | what it does |
//! |---|---|
//! | `driver.rs` | the driver: is there one, is it whole, and its functions |
//! | `machine/` | one device: memory, copies, kernels, graphs of kernels that are replayed, and what devices exchange |
//! | `words.rs` | what host and device tell each other in a tick |
//! | `shape.rs` | how fine the mesh is, and how work is cut into blocks |
//! | `memory.rs` | what lies in the device's memory |
//! | `launches.rs` | the kernels of a tick, in order |
//! | `divide.rs` | who does what where there are several |
//! | `part.rs` | what one device has of a layout, and the parts of a tick |
//! | `tick.rs` | one tick, from positions to positions |
//! | `twin/` | what each kernel should compute, in Rust, for tests |
//!
//! Tests run the kernels' sources on the processor, under a stand-in for the driver
//! (`kernels/cuda/emulator`), through all of these files; with `--ignored` the same on a real device.

mod divide;
mod driver;
#[cfg(all(test, target_os = "linux"))]
mod inspect;
mod launches;
mod machine;
mod memory;
mod part;
mod shape;
// The stand-in for the driver is loaded as Linux loads libraries.
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod tick;
#[cfg(all(test, target_os = "linux"))]
mod twin;
mod words;

pub(crate) use shape::FEWEST;
pub(crate) use tick::Cuda;
