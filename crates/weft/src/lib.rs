//! One mesh in one process, or each service alone, and a client for the shell.
//!
//! Read it forward: [`cli`] is what people type; it starts a [`node`], which puts a process together
//! (which services run here, where the others are), or calls one that runs through `client`.
//! `agent` is the agent of a host, which calls a mesh the same way.
//! [`config`] is the whole configuration as one typed tree, and `node_file` says where a node listens.
//! Each uses only those that are named after it.
//!
//! Nothing here is global: a test starts as many nodes in one process as it likes.

mod agent;
pub mod cli;
mod client;
pub mod config;
pub mod node;
mod node_file;
