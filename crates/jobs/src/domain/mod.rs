//! What happens to jobs, and when: pure, with time, chance and names handed in.

pub(crate) mod model;
pub(crate) mod ready;
pub(crate) mod shard;
#[cfg(test)]
mod tests;
mod waiting;
