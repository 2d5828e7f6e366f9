//! The agent service behind the whole runtime, over a real database: joining, being there, being watched.

mod attaching;
mod collectors;
mod copied;
mod hosts;
mod joining;
mod processes;
mod watching;
mod world;
