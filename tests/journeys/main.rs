//! What people do with a mesh, from its first graph to a node that somebody drags: once with all
//! services in one process on SQLite, once with each service alone over PostgreSQL and Redis. And two
//! meshes in one process, which know nothing of each other.

mod analysing;
mod asking;
mod data;
mod dragging;
mod executing;
mod filling;
mod folders;
mod limiting;
mod one_process;
mod processes;
mod questions;
mod triggering;
mod two_meshes;
mod ways_in;
mod working;
