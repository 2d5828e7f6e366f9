//! Whether layouts do what their contract says, through the generated client.

mod admission;
mod constraints;
mod faults;
mod following;
mod graph;
mod life;
mod mesh;
mod real;
mod refusals;
mod sharing;
mod viewing;
