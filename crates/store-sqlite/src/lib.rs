//! The stores of `weft-store` in one SQLite file: nothing to install, nothing to run.
//!
//! - *Durable*: write-ahead log with `synchronous=FULL`; a write is acknowledged after its commit is on disk.
//! - *Group commit*: all writes go through one task (`writer`), which puts those that wait into one
//!   transaction, each in a savepoint of its own: the cost of a disk flush is shared, an error is not.
//! - *One process*: a lock file next to the database keeps a second process out, with a clear error.
//! - *Checked*: every statement is checked against the schema when this crate is compiled (`.sqlx`, renewed by
//!   `cargo xtask sql`). SQLite's check does not see parameter types, so the conformance suite is not optional.
//!
//! ```no_run
//! # async fn example() -> Result<(), weft_store::OpenError> {
//! let stores = weft_store_sqlite::open("sqlite:/var/lib/weft/weft.db").await?;
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
mod jobs;
mod journal;
mod kept_result;
mod keys;
mod layout;
mod member;
mod open;
mod placement;
mod project_object;
mod refresh;
mod requests;
mod rows;
mod secret;
mod source;
mod telemetry;
mod trigger;
mod writer;

use async_trait::async_trait;
use futures::future::BoxFuture;
use sqlx::{SqliteConnection, SqlitePool};
use weft_store::{Database, Result, StoreError};

pub use crate::open::open;
use crate::{fault::fault, writer::Writer};

/// One open database file.
struct Sqlite {
    /// Path of the file.
    path: String,
    /// The only connection that writes.
    writer: Writer,
    /// Connections that read.
    readers: SqlitePool,
    /// Held while a checkpoint is saved: its parts are several transactions, so that a large one does not
    /// hold other writes up, and two savers must not mix theirs.
    saving: tokio::sync::Mutex<()>,
}

impl Sqlite {
    /// Runs one atomic write, and comes back when it is on disk.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.writer.write(work).await
    }
}

#[async_trait]
impl Database for Sqlite {
    fn describe(&self) -> String {
        format!("sqlite:{}", self.path)
    }

    async fn ping(&self) -> Result<()> {
        sqlx::query!("SELECT 1 AS one").fetch_one(&self.readers).await.map_err(fault)?;
        if self.writer.is_closed() { Err(StoreError::unavailable("the database is closed")) } else { Ok(()) }
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
