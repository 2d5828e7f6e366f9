//! Partitions of executions and of their journals: made ahead by who has a shard, dropped when nothing in them is wanted.
//!
//! Executions have one for each shard. Journals have one for each *block* of numbers of a shard, in which those lie together that
//! were accepted at about the same time. Retention removes rows of executions, which are narrow, and leaves journals where they
//! are: once a block has no execution any more it is dropped as a whole, which costs the same for ten rows and for ten million,
//! and leaves nothing to vacuum. What still goes on in an old block, after all around it was forgotten, is written anew into a
//! small table in place of the large one.
//!
//! Tables are named by their bounds (`execution_events_{first}_{beyond}`, in hexadecimal), so nothing else has to remember them.

use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgTransaction};
use weft_store::{Result, SHARD_BITS};

use crate::{
    Postgres,
    fault::{OrFault, is_locked},
};

/// Numbers of a block.
const BLOCK: i64 = 1 << 20;
/// How many numbers before its end the next one is made.
const AHEAD: i64 = 1 << 16;
/// A block is written anew when no more executions than these are left in it.
const FEW: i64 = BLOCK / 32;
/// Blocks that one call looks at: those that come first were filled first.
const LOOKED_AT: usize = 4;
/// How long others wait for a table whose partitions change, at most.
const PATIENCE: &str = "250ms";
/// Serialises those who make partitions: the number means nothing else.
const LOCK: i64 = 0x7765_6674_7061_7274;
const PREFIX: &str = "execution_events_";

/// A block of journals: its numbers, from the first to the one beyond the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    first: i64,
    beyond: i64,
}

impl Block {
    /// The one that a number is in.
    fn of(id: i64) -> Self {
        let first = id / BLOCK * BLOCK;
        Self { first, beyond: first + BLOCK }
    }

    fn parse(table: &str) -> Option<Self> {
        let (first, beyond) = table.strip_prefix(PREFIX)?.split_once('_')?;
        let number = |text| i64::from_str_radix(text, 16).ok();
        Some(Self { first: number(first)?, beyond: number(beyond)? })
    }

    fn table(self) -> String {
        format!("{PREFIX}{:x}_{:x}", self.first, self.beyond)
    }

    fn has(self, id: i64) -> bool {
        (self.first..self.beyond).contains(&id)
    }
}

/// Whether a flush with executions up to this number should look that the next block is there.
pub(crate) fn is_near_end(last: i64) -> bool {
    Block::of(last + AHEAD) != Block::of(last)
}

/// Whether a number is in the block of the newest one: what is removed there is removed row by row, because the block stays.
pub(crate) fn is_in_newest(id: i64, newest: i64) -> bool {
    Block::of(newest).first <= id
}

impl Postgres {
    /// Makes what a shard needs that is not there: its table, and blocks for what comes after `last`.
    pub(crate) async fn make_partitions(&self, shard: i32, last: i64) -> Result<()> {
        let wanted = [Block::of(last + 1), Block::of(last + 1 + AHEAD)];
        if has_shard(&self.pool, shard).await? && covers(&blocks(&self.pool, shard).await?, wanted) {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK)
            .fetch_one(&mut *transaction)
            .await
            .or_fault()?;
        // Another process may have made them meanwhile.
        if !has_shard(&mut *transaction, shard).await? {
            make_shard(&mut transaction, shard).await?;
        }
        let mut there = blocks(&mut *transaction, shard).await?;
        for block in wanted {
            if !covers(&there, [block; 2]) {
                // What an older release has written may end in the middle of it.
                let first = there.iter().map(|block| block.beyond).filter(|beyond| block.has(*beyond)).max();
                let block = Block { first: first.unwrap_or(block.first), ..block };
                make_block(&mut transaction, block).await?;
                there.push(block);
            }
        }
        transaction.commit().await.or_fault()
    }

    /// Drops blocks of a shard in which nothing is wanted any more, and writes those anew in which little is; says how many. The
    /// newest ones stay.
    pub(crate) async fn tidy_blocks(&self, shard: i32) -> Result<u64> {
        let mut all = blocks(&self.pool, shard).await?;
        all.sort_unstable();
        let last = sqlx::query!(
            "SELECT MAX(id) AS last FROM executions WHERE id >= $1 AND id < $2",
            i64::from(shard) << SHARD_BITS,
            (i64::from(shard) + 1) << SHARD_BITS,
        );
        let Some(last) = last.fetch_one(&self.pool).await.or_fault()?.last else { return Ok(0) };
        let mut tidied = 0;
        let mut looked_at = 0;
        for block in all.into_iter().filter(|block| block.beyond <= last) {
            let left = sqlx::query!(
                r#"SELECT COUNT(*) AS "left!" FROM (SELECT 1 FROM executions WHERE id >= $1 AND id < $2 LIMIT $3) AS found"#,
                block.first,
                block.beyond,
                FEW + 1,
            );
            let left = left.fetch_one(&self.pool).await.or_fault()?.left;
            let done = match left {
                0 => self.drop_block(block).await?,
                // What was written anew is small already, and is dropped when the last one has gone.
                few if few <= FEW && self.has_waste(block, few).await? => self.rewrite_block(block).await?,
                _ => {
                    looked_at += 1;
                    false
                }
            };
            tidied += u64::from(done);
            if looked_at == LOOKED_AT {
                break;
            }
        }
        Ok(tidied)
    }

    /// Whether a block is much larger than what is wanted of it, as the statistics have it.
    async fn has_waste(&self, block: Block, left: i64) -> Result<bool> {
        let row = sqlx::query!(
            r#"SELECT (SELECT COUNT(*) FROM (SELECT DISTINCT execution FROM execution_events
             WHERE execution >= $1 AND execution < $2 LIMIT $3) AS found) AS "kept!""#,
            block.first,
            block.beyond,
            left * 2 + 2,
        );
        Ok(row.fetch_one(&self.pool).await.or_fault()?.kept > left * 2)
    }

    /// Drops a block without executions. Nobody writes to it; who reads is let go first.
    async fn drop_block(&self, block: Block) -> Result<bool> {
        self.change_blocks(async |transaction| {
            detach(transaction, block).await?;
            run(transaction, format!("DROP TABLE {}", block.table())).await
        })
        .await
    }

    /// Puts a table with what is wanted in place of a block with much that is not.
    async fn rewrite_block(&self, block: Block) -> Result<bool> {
        let (table, Block { first, beyond }) = (block.table(), block);
        self.change_blocks(async |transaction| {
            run(transaction, format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")).await?;
            run(transaction, "CREATE TABLE execution_events_anew (LIKE execution_events INCLUDING DEFAULTS)".into()).await?;
            let copy = format!(
                "INSERT INTO execution_events_anew SELECT e.* FROM executions x JOIN {table} e ON e.execution = x.id \
                 WHERE x.id >= {first} AND x.id < {beyond}"
            );
            run(transaction, copy).await?;
            run(transaction, "ALTER TABLE execution_events_anew ADD PRIMARY KEY (execution, sequence)".into()).await?;
            detach(transaction, block).await?;
            run(transaction, format!("DROP TABLE {table}")).await?;
            run(transaction, format!("ALTER TABLE execution_events_anew RENAME TO {table}")).await?;
            run(transaction, format!("ALTER INDEX execution_events_anew_pkey RENAME TO {table}_pkey")).await?;
            attach(transaction, block).await
        })
        .await
    }

    /// Changes which blocks there are, if nobody has to wait for that for long.
    async fn change_blocks(
        &self,
        change: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<()>,
    ) -> Result<bool> {
        let mut transaction: PgTransaction<'_> = self.begin().await?;
        let patience = run(&mut transaction, format!("SET LOCAL lock_timeout = '{PATIENCE}'")).await;
        match async {
            patience?;
            change(&mut transaction).await
        }
        .await
        {
            Ok(()) => {
                transaction.commit().await.or_fault()?;
                Ok(true)
            }
            // It is in use: another time.
            Err(error) if is_locked(&error) => Ok(false),
            Err(error) => Err(error).or_fault(),
        }
    }
}

async fn has_shard(database: impl PgExecutor<'_>, shard: i32) -> Result<bool> {
    let table = format!("executions_{shard}");
    let row = sqlx::query!(r#"SELECT to_regclass($1) IS NOT NULL AS "is_there!""#, table);
    Ok(row.fetch_one(database).await.or_fault()?.is_there)
}

/// The blocks of a shard that are there.
async fn blocks(database: impl PgExecutor<'_>, shard: i32) -> Result<Vec<Block>> {
    let tables = sqlx::query!(
        r#"SELECT c.relname::TEXT AS "table!" FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'execution_events'::REGCLASS"#,
    );
    let tables = tables.fetch_all(database).await.or_fault()?;
    let blocks = tables.iter().filter_map(|row| Block::parse(&row.table));
    Ok(blocks.filter(|block| block.first >> SHARD_BITS == i64::from(shard)).collect())
}

fn covers(there: &[Block], wanted: [Block; 2]) -> bool {
    // The last number of each: what an older release has written may take the beginning.
    wanted.iter().all(|wanted| there.iter().any(|block| block.has(wanted.beyond - 1)))
}

/// A statement of numbers and names that are made here, and of nothing that anybody has sent.
async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}

async fn make_shard(connection: &mut PgConnection, shard: i32) -> Result<()> {
    let table = format!("executions_{shard}");
    let (first, beyond) = (i64::from(shard) << SHARD_BITS, (i64::from(shard) + 1) << SHARD_BITS);
    for statement in [
        format!("CREATE TABLE {table} (LIKE executions INCLUDING DEFAULTS)"),
        format!("CREATE UNIQUE INDEX {table}_name ON {table} (project, name) WHERE name IS NOT NULL"),
        format!("CREATE UNIQUE INDEX {table}_request ON {table} (request) WHERE request IS NOT NULL"),
        format!("ALTER TABLE executions ATTACH PARTITION {table} FOR VALUES FROM ({first}) TO ({beyond})"),
    ] {
        run(connection, statement).await.or_fault()?;
    }
    Ok(())
}

/// A table of its own that becomes a partition then: to create it as one would keep others waiting.
async fn make_block(connection: &mut PgConnection, block: Block) -> Result<()> {
    let table = block.table();
    run(connection, format!("CREATE TABLE {table} (LIKE execution_events INCLUDING DEFAULTS)"))
        .await
        .or_fault()?;
    run(connection, format!("ALTER TABLE {table} ADD PRIMARY KEY (execution, sequence)")).await.or_fault()?;
    attach(connection, block).await.or_fault()
}

async fn attach(connection: &mut PgConnection, block: Block) -> sqlx::Result<()> {
    let (table, Block { first, beyond }) = (block.table(), block);
    let bounds = format!("FOR VALUES FROM ({first}) TO ({beyond})");
    run(connection, format!("ALTER TABLE execution_events ATTACH PARTITION {table} {bounds}")).await
}

async fn detach(connection: &mut PgConnection, block: Block) -> sqlx::Result<()> {
    run(connection, format!("ALTER TABLE execution_events DETACH PARTITION {}", block.table())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_named_by_its_bounds() {
        let shard = 3_i64 << SHARD_BITS;
        let block = Block::of(shard + BLOCK + 7);
        assert_eq!(block, Block { first: shard + BLOCK, beyond: shard + 2 * BLOCK });
        assert_eq!(Block::parse(&block.table()), Some(block));
        assert_eq!(Block::parse("execution_events_0_100000"), Some(Block { first: 0, beyond: BLOCK }));
        for other in ["execution_events_anew", "execution_events", "execution_events_0_x", "executions_0"] {
            assert_eq!(Block::parse(other), None, "{other}");
        }
        assert!(!is_near_end(shard + 1) && is_near_end(shard + BLOCK - AHEAD) && !is_near_end(shard + BLOCK));
    }
}
