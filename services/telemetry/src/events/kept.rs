//! The logs or the spans of a project, as memory has them.

use std::sync::Arc;

use super::{block::Block, chunk::Chunk};

/// The logs or the spans of a project.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// What is in no block yet, in the order in which it came.
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The highest number of an event.
    pub(crate) newest: u64,
}

impl Kept {
    pub(crate) fn add(&mut self, chunk: Arc<Chunk>) {
        self.newest = self.newest.max(chunk.base + chunk.rows as u64);
        self.chunks.push(chunk);
    }

    pub(crate) fn add_block(&mut self, block: Block) {
        self.newest = self.newest.max(block.newest);
        self.blocks.push(Arc::new(block));
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        let newest: usize = self.chunks.iter().map(|chunk| chunk.rows).sum();
        newest as u64 + self.sealed_count()
    }

    /// How many of them are in blocks.
    pub(crate) fn sealed_count(&self) -> u64 {
        self.blocks.iter().map(|block| block.rows).sum()
    }

    /// Bytes of blocks.
    pub(crate) fn sealed_bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.bytes).sum()
    }

    /// Bytes of memory, nearly.
    pub(crate) fn bytes(&self) -> usize {
        let chunks: usize = self.chunks.iter().map(|chunk| chunk.bytes()).sum();
        chunks + self.blocks.iter().map(|block| block.memory()).sum::<usize>()
    }
}
