//! Merging: many small blocks become few. What a quiet project says is sealed whenever a busy one has said enough, and
//! a mesh with little to say seals by time.

use std::sync::Arc;

use weft_series::DecodeError;
use weft_store::{SealedSegments, StoreError, objects::MAX_OBJECT_BYTES};

use super::{Kind, block::Block, chunk::Chunk, repeats::KNOWN, seal};
use crate::{
    samples::{projects::Shared, segment},
    state::State,
};

/// A block of fewer bytes is small.
const SMALL: u64 = 512 << 10;
/// So many small ones are worth it.
const FEWEST: usize = 8;
/// No more at once, so that they are read in little time and memory.
const MOST: usize = 64;
/// Nor more bytes.
const MOST_BYTES: u64 = 2 << 20;

/// Merges blocks of all projects, and removes the objects of those that were merged the time before: a search that
/// began then may have read them until now.
///
/// # Errors
/// The store or the objects cannot be read or written.
pub(crate) async fn round(state: &State, epoch: i64) -> Result<(), StoreError> {
    let merged = std::mem::take(&mut *state.merged());
    for uid in merged {
        state.cached.objects().delete(&segment::key(uid)).await?;
    }
    for project in state.projects.all() {
        for kind in Kind::ALL {
            let blocks = project.read().kept(kind).blocks.clone();
            let some = choose(blocks);
            if !some.is_empty() {
                merge(state, epoch, &project, kind, &some).await?;
            }
        }
    }
    Ok(())
}

/// Small blocks next to each other in time; none where they are few.
fn choose(mut blocks: Vec<Arc<Block>>) -> Vec<Arc<Block>> {
    blocks.retain(|block| block.bytes < SMALL);
    blocks.sort_by_key(|block| (block.last, block.newest));
    let mut bytes = 0;
    blocks.truncate(MOST);
    let fit = blocks.iter().take_while(|block| {
        bytes += block.bytes;
        bytes <= MOST_BYTES
    });
    let fit = fit.count();
    blocks.truncate(if fit < FEWEST { 0 } else { fit });
    blocks
}

async fn merge(
    state: &State,
    epoch: i64,
    project: &Shared,
    kind: Kind,
    some: &[Arc<Block>],
) -> Result<(), StoreError> {
    let mut chunks = Vec::with_capacity(some.len());
    let mut exports = Vec::new();
    let now = state.now();
    for block in some {
        let object = state.cached.objects().get(&segment::key(block.uid), MAX_OBJECT_BYTES).await?;
        let chunk = read(block, &object).map_err(|error| StoreError::Corrupt {
            table: "telemetry_segments",
            column: "object",
            row: block.uid.to_string(),
            reason: error.to_string(),
        })?;
        chunks.push(Arc::new(chunk));
        exports.extend(block.exports.iter().filter(|(_, time)| now - time < KNOWN).copied());
    }
    let mut sealed = SealedSegments { epoch, kind: kind.stored(), ..SealedSegments::default() };
    sealed.removed = some.iter().map(|block| block.uid).collect();
    let mut made = Vec::new();
    for (row, object, block) in seal::built(state, project, kind, chunks, exports).await? {
        state.cached.objects().put(&segment::key(row.uid), object).await?;
        sealed.added.push(row);
        made.push(block);
    }
    let removed = sealed.removed.clone();
    state.store.seal_telemetry(sealed).await?;
    let mut memory = project.write();
    let kept = memory.kept_mut(kind);
    kept.blocks.retain(|block| !removed.contains(&block.uid));
    for block in made {
        kept.add_block(block);
    }
    drop(memory);
    state.merged().extend(removed);
    Ok(())
}

fn read(block: &Block, object: &[u8]) -> Result<Chunk, DecodeError> {
    let packed = object.get(block.filter_bytes as usize..).ok_or(DecodeError("has no events"))?;
    Chunk::decode(packed, 0)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_many_small_blocks_are_merged() {
        let block = |uid: u128, bytes| {
            let last = 1_000 - uid as i64;
            Arc::new(Block { uid: Uuid::from_u128(uid), last, bytes, ..Block::default() })
        };
        let chosen = |bytes: &[u64]| {
            let blocks = (0..).zip(bytes).map(|(uid, bytes)| block(uid, *bytes)).collect();
            choose(blocks).iter().map(|block| block.uid.as_u128()).collect::<Vec<_>>()
        };
        assert!(chosen(&[1; 7]).is_empty());
        // By time: the one that was made last is the oldest here.
        assert_eq!(chosen(&[1; 8]), [7, 6, 5, 4, 3, 2, 1, 0]);
        let mut some = [1; 9];
        some[4] = SMALL;
        assert_eq!(chosen(&some), [8, 7, 6, 5, 3, 2, 1, 0]);
        assert_eq!(chosen(&[1; 100]).len(), MOST);
        assert_eq!(chosen(&[SMALL / 2; 20]).len(), 8);
        assert!(chosen(&[SMALL - 1; 20]).is_empty());
    }
}
