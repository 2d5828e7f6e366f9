//! The numbers of weft: graph layout and analytics on every core, without I/O, clocks or async.
//!
//! # Promise
//! - **Live**: a [`Simulation`] is driven tick by tick; the graph, the parameters and single
//!   nodes can be changed between any two ticks. Changing a few nodes does not stir the rest.
//! - **Repeatable**: the same calls give the same bits, with 1 thread or 40, today or after a
//!   restart.
//! - **Bounded**: no position or velocity that leaves this crate is infinite or not a number,
//!   whatever goes in, and no part of a graph drifts away from the rest.
//! - **Ends by itself**: a layout reports when it has settled, and then costs nothing until
//!   something wakes it.
//!
//! # Files
//! ```text
//! params.rs        the knobs, their ranges, defaults
//! membership.rs    external ids and dense slots
//! adjacency.rs     edges as compressed rows
//! seeding.rs       where newcomers start
//! constraint.rs    what a layout has to keep to beside its forces
//! scene.rs         what a tick is given
//! sketch/          the first shape of a graph that nobody has placed, by coarser graphs
//! simulation/      state between ticks: sync, pins, constraints, heat, sleep
//! cpu/             one tick on the processor: repulsion by mesh or tree, springs, gravity, constraints
//! device.rs        where a layout is computed, and why not elsewhere
//! cuda/            one tick on a CUDA device, or several; its kernels are in `cuda/` beside `src/`
//! quality.rs       how well a layout shows its graph
//! analytics/       what is computed of a whole graph, once: components, ranks, communities
//! ```
//! A device has its own folder beside `cpu/`, takes the same `Scene`, and must come to the same
//! positions within 1e-3; `cpu/` stays the reference. Repeatable means on one kind of processor: another
//! one gives other last bits.
//!
//! # Example
//! ```
//! use weft_kernels::{Dim, Edge, Params, Simulation};
//!
//! let mut layout = Simulation::new(Dim::Two, Params::default(), 1)?;
//! let link = |source, target| Edge { source, target, weight: 1.0 };
//! layout.sync(&[10, 20, 30], &[link(10, 20), link(20, 30)])?;
//! layout.pin(10, Some([0.0, 0.0, 0.0]))?;
//! while !layout.tick().settled {}
//!
//! assert_eq!(layout.positions()[0], [0.0, 0.0, 0.0]);
//! // An end of the chain lies further from the other end than from the middle.
//! let distance = |a: usize, b: usize| {
//!     let (a, b) = (layout.positions()[a], layout.positions()[b]);
//!     (a[0] - b[0]).hypot(a[1] - b[1])
//! };
//! assert!(distance(0, 2) > distance(0, 1));
//! # Ok::<(), weft_kernels::Error>(())
//! ```

mod adjacency;
pub mod analytics;
mod constraint;
mod cpu;
mod cuda;
mod device;
mod error;
mod membership;
mod params;
pub mod quality;
mod random;
mod scene;
mod seeding;
mod simulation;
mod sketch;
mod weights;

// The made graphs of the tests name this crate as its users do.
#[cfg(test)]
extern crate self as weft_kernels;
#[cfg(test)]
#[path = "../tests/layout/graphs.rs"]
mod graphs;

pub use adjacency::Edge;
pub use constraint::{Constraint, Region, Rule, Shape};
pub use device::{Device, DeviceError, Devices, Processor};
pub use error::Error;
pub use params::{Model, Params};
pub use simulation::{Phase, Simulation, SyncReport, TickReport};

/// A place or a way in world units: `[x, y, z]`, z being 0 in 2D.
pub type Point = [f32; 3];

/// Largest magnitude of a coordinate, in world units. Single precision still tells places one
/// unit apart out there; layouts keep themselves far inside.
pub const WORLD_LIMIT: f32 = 1e7;

/// Number of dimensions of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dim {
    /// In the plane: every z is 0.
    Two,
    /// In space.
    Three,
}

impl Dim {
    /// `point` without the coordinates that this number of dimensions lacks.
    pub(crate) fn flatten(self, [x, y, z]: Point) -> Point {
        match self {
            Self::Two => [x, y, 0.0],
            Self::Three => [x, y, z],
        }
    }
}

/// An axis-parallel box.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    /// Corner with the smallest coordinates.
    pub min: Point,
    /// Corner with the largest coordinates.
    pub max: Point,
}

/// Refuses a position that must not enter a layout.
fn check_position(id: u32, position: Point) -> Result<(), Error> {
    // Written so that a coordinate that is not a number fails too.
    if position.iter().all(|c| c.abs() <= WORLD_LIMIT) { Ok(()) } else { Err(Error::Position { id }) }
}
