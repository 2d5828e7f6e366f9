//! The layout on the processor: the reference that other devices are checked against.
//!
//! `solver.rs` runs one tick through these files, in this order:
//!
//! | file | what it does |
//! |---|---|
//! | `arrangement.rs` | keeps the nodes in the order of a curve through the layout |
//! | `bounds.rs` | box round all nodes |
//! | `bodies.rs`, `push.rs` | the push of all on all, by a mesh or a tree |
//! | `mesh/` | the push by a mesh and near pairs |
//! | `morton.rs` | order of the nodes along a space-filling curve |
//! | `tree.rs` | quadtree or octree over that order, with mass and centre of each cell |
//! | `interaction.rs` | for a group of near nodes: what acts on it, far cells taken as one |
//! | `pairs.rs` | sums what acts on a node: the innermost loop |
//! | `repulsion.rs` | the push by the three above, for all groups, on all threads |
//! | `scratch.rs` | memory of each thread |
//! | `springs.rs`, `gravity.rs` | the other two forces on a node |
//! | `integrate.rs` | adds the forces up and moves the nodes |
//! | `refine/` | in place of these forces, when a layout is refined: neighbours gather |
//! | `constraints/` | moves them to where the constraints want them |
//!
//! Work is cut into pieces by node count alone and sums are taken in a fixed order, so the
//! result has the same bits whatever the number of threads.

pub(crate) mod arrangement;
pub(crate) mod bodies;
mod bounds;
mod constraints;
pub(crate) mod gravity;
pub(crate) mod integrate;
mod interaction;
pub(crate) mod mesh;
mod morton;
mod pairs;
mod push;
mod refine;
mod repulsion;
mod scratch;
pub(crate) mod solver;
mod springs;
mod tree;

/// Nodes per piece of parallel work. A constant, so that pieces never depend on the machine.
pub(crate) const CHUNK: usize = 2048;
