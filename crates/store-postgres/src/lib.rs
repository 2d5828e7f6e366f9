//! The stores of `weft-store` in PostgreSQL: many processes over one database.
//!
//! - *Durable*: `synchronous_commit` is on for every connection, whatever the server's default.
//! - *Atomic*: READ COMMITTED, and each write takes its row by the version that it is based on, so that of two
//!   writers the second waits, looks again, and is told that it is stale. Nothing needs SERIALIZABLE retries.
//! - *Once*: a repeatable request claims its row in `requests` first; a repeat waits for that claim's outcome.
//! - *Spread*: graphs, journal and checkpoints are partitioned by graph, names by project, executions by shard (which is
//!   by project), and their journals by shard and time.
//! - *Checked*: every statement is checked against the schema when this crate is compiled (`.sqlx`, renewed by
//!   `cargo xtask sql`).
//!
//! ```no_run
//! # async fn example() -> Result<(), weft_store::OpenError> {
//! let stores = weft_store_postgres::open("postgres://weft@db.example:5432/weft").await?;
//! stores.database.close().await;
//! # Ok(()) }
//! ```

mod agent;
mod alert;
mod analysis;
mod checkpoint;
mod command;
mod enrollment;
mod execution;
mod fault;
mod graph;
mod identity;
mod instant;
mod jobs;
mod journal;
mod kept_result;
mod keys;
mod layout;
mod member;
mod open;
mod partition;
mod placement;
mod project_object;
mod refresh;
mod requests;
mod secret;
mod source;
mod telemetry;
mod trigger;

use async_trait::async_trait;
use sqlx::{PgPool, PgTransaction};
use tokio::sync::OnceCell;
use weft_store::{Database, Result};

use crate::fault::OrFault;
pub use crate::open::open;

/// One database.
struct Postgres {
    pool: PgPool,
    /// Its URL without a password.
    shown: String,
    /// How many shards executions have, which never changes once it is known.
    shards: OnceCell<i32>,
}

impl Postgres {
    /// Begins a transaction, which is rolled back when it is dropped.
    async fn begin(&self) -> Result<PgTransaction<'static>> {
        self.pool.begin().await.or_fault()
    }
}

#[async_trait]
impl Database for Postgres {
    fn describe(&self) -> String {
        self.shown.clone()
    }

    async fn ping(&self) -> Result<()> {
        sqlx::query!("SELECT 1 AS one").fetch_one(&self.pool).await.or_fault()?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
