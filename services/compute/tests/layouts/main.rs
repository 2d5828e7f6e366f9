//! Whether layouts do what their contract says, through the generated client.

mod constraints;
mod faults;
mod following;
mod graph;
mod life;
mod mesh;
mod real;
mod refusals;
mod viewing;
