//! Blocks that are forgotten: those that are too old, and the oldest where a project has too many bytes.

use std::sync::Arc;

use uuid::Uuid;
use weft_store::{SealedSegments, StoreError};

use super::{Kind, block::Block};
use crate::{
    samples::{projects::Shared, segment},
    state::State,
};

/// Forgets blocks of all projects, and gives how many those were.
///
/// # Errors
/// The store or the objects cannot be written.
pub(crate) async fn round(state: &State, epoch: i64) -> Result<usize, StoreError> {
    let mut forgotten = 0;
    for project in state.projects.all() {
        for kind in Kind::ALL {
            let oldest = state.oldest(kind);
            let blocks = project.read().kept(kind).blocks.clone();
            let gone = to_forget(&blocks, oldest, state.options.most_bytes(kind));
            forgotten += gone.len();
            if !gone.is_empty() {
                forget(state, epoch, &project, kind, gone).await?;
            }
        }
    }
    Ok(forgotten)
}

/// Rows first: an object without a row is swept away when the process begins, a row without an object is a fault.
async fn forget(
    state: &State,
    epoch: i64,
    project: &Shared,
    kind: Kind,
    gone: Vec<Uuid>,
) -> Result<(), StoreError> {
    let sealed =
        SealedSegments { epoch, kind: kind.stored(), removed: gone.clone(), ..SealedSegments::default() };
    state.store.seal_telemetry(sealed).await?;
    project.write().kept_mut(kind).blocks.retain(|block| !gone.contains(&block.uid));
    for uid in gone {
        state.cached.objects().delete(&segment::key(uid)).await?;
    }
    Ok(())
}

/// Blocks of which all events are older than `oldest`, and of the others the oldest that are more than `most` bytes.
fn to_forget(blocks: &[Arc<Block>], oldest: i64, most: u64) -> Vec<Uuid> {
    let mut by_age: Vec<&Arc<Block>> = blocks.iter().collect();
    by_age.sort_by_key(|block| std::cmp::Reverse((block.last, block.newest)));
    let mut bytes = 0;
    let gone = by_age.into_iter().filter(|block| {
        bytes += block.bytes;
        block.last < oldest || bytes > most
    });
    gone.map(|block| block.uid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let block =
            |uid, last, bytes| Arc::new(Block { uid: Uuid::from_u128(uid), last, bytes, ..Block::default() });
        let blocks = [block(1, 30, 10), block(2, 10, 10), block(3, 20, 10)];
        let gone = |oldest, most| -> Vec<u128> {
            to_forget(&blocks, oldest, most).into_iter().map(|uid| uid.as_u128()).collect()
        };
        assert_eq!(gone(0, 30), [] as [u128; 0]);
        assert_eq!(gone(0, 29), [2]);
        assert_eq!(gone(0, 15), [3, 2]);
        assert_eq!(gone(15, 100), [2]);
        assert_eq!(gone(31, 100), [1, 3, 2]);
    }
}
