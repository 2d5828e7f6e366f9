//! Copies of a graph's rows for many users, made in the database itself.

use std::{ops::Range, path::PathBuf};

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection, SqliteConnection};

/// Graphs that each user has: 10,000,000 of them are of 100,000 users.
pub(crate) const GRAPHS_OF_USER: u64 = 100;
/// Graphs of one transaction.
const AT_ONCE: u64 = 100_000;

/// Where the rows are.
pub(crate) enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

/// The project of the user whose graph this is.
pub(crate) fn user(graph: u64) -> String {
    format!("projects/u{:07}", graph / GRAPHS_OF_USER)
}

/// The name of a graph.
pub(crate) fn graph_of(graph: u64) -> String {
    format!("{}/graphs/g{:02}", user(graph), graph % GRAPHS_OF_USER)
}

impl Database {
    /// How large it is, in bytes.
    pub(crate) async fn bytes(&self) -> Result<f64> {
        Ok(match self {
            Database::Sqlite(path) => std::fs::metadata(path)?.len() as f64,
            Database::Postgres(url) => {
                let mut connection = PgConnection::connect(url).await?;
                let bytes: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
                    .fetch_one(&mut connection)
                    .await?;
                bytes as f64
            }
        })
    }
}

/// Makes the graphs of these numbers, as the one that is named `diamond`.
pub(crate) async fn fill(database: &Database, graphs: Range<u64>) -> Result<()> {
    match database {
        Database::Sqlite(path) => {
            let url = format!("sqlite:{}", path.display());
            let mut connection = SqliteConnection::connect(&url).await.context("it is there")?;
            // What is lost when the machine fails is measured anew.
            run_sqlite(&mut connection, "PRAGMA synchronous = OFF").await?;
            run_sqlite(&mut connection, "PRAGMA cache_size = -2000000").await?;
            run_sqlite(&mut connection, "CREATE TEMP TABLE made (project TEXT, id TEXT, uid BLOB)").await?;
            for first in graphs.clone().step_by(AT_ONCE as usize) {
                let last = (first + AT_ONCE).min(graphs.end) - 1;
                let mut transaction = connection.begin().await?;
                sqlx::query(
                    "WITH RECURSIVE numbers (n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2) \
                     INSERT INTO made SELECT printf('u%07d', n / ?3), printf('g%02d', n % ?3), randomblob(16) \
                     FROM numbers",
                )
                .bind(first as i64)
                .bind(last as i64)
                .bind(GRAPHS_OF_USER as i64)
                .execute(&mut *transaction)
                .await?;
                for copy in COPIES {
                    run_sqlite(&mut transaction, copy).await?;
                }
                run_sqlite(&mut transaction, "DELETE FROM made").await?;
                transaction.commit().await?;
                tracing::info!(graphs = last + 1, "filled");
            }
            run_sqlite(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
            connection.close().await?;
        }
        Database::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await?;
            run_postgres(&mut connection, "SET synchronous_commit = off").await?;
            run_postgres(
                &mut connection,
                r#"CREATE TEMP TABLE made (project TEXT COLLATE "C", id TEXT COLLATE "C", uid UUID)"#,
            )
            .await?;
            for first in graphs.clone().step_by(AT_ONCE as usize) {
                let last = (first + AT_ONCE).min(graphs.end) - 1;
                sqlx::query(
                    "INSERT INTO made SELECT 'u' || lpad((n / $3)::TEXT, 7, '0'), \
                     'g' || lpad((n % $3)::TEXT, 2, '0'), gen_random_uuid() FROM generate_series($1, $2) n",
                )
                .bind(first as i64)
                .bind(last as i64)
                .bind(GRAPHS_OF_USER as i64)
                .execute(&mut connection)
                .await?;
                for copy in COPIES {
                    run_postgres(&mut connection, copy).await?;
                }
                run_postgres(&mut connection, "TRUNCATE made").await?;
                tracing::info!(graphs = last + 1, "filled");
            }
            // As the server does by itself after a while, which is not to happen while calls are measured.
            run_postgres(&mut connection, "VACUUM ANALYZE").await?;
            run_postgres(&mut connection, "CHECKPOINT").await?;
        }
    }
    Ok(())
}

/// The rows of each graph that is in `made`. Journals are in the order of their keys, which are made at random.
const COPIES: [&str; 3] = [
    "INSERT INTO graph_names (project, id, uid) SELECT project, id, uid FROM made ORDER BY project, id",
    "INSERT INTO graphs (uid, project, id, display_name, description, kind, labels, revision, oldest_revision, \
     node_count, edge_count, next_ordinal, created, updated, version) \
     SELECT m.uid, m.project, m.id, g.display_name, g.description, g.kind, g.labels, g.revision, g.oldest_revision, \
     g.node_count, g.edge_count, g.next_ordinal, g.created, g.updated, g.version \
     FROM made m CROSS JOIN graphs g WHERE g.project = 'default' AND g.id = 'diamond' ORDER BY m.uid",
    "INSERT INTO journal (graph_uid, revision, part, last_part, at, actor, bytes) \
     SELECT m.uid, j.revision, j.part, j.last_part, j.at, j.actor, j.bytes FROM made m CROSS JOIN journal j \
     WHERE j.graph_uid = (SELECT uid FROM graph_names WHERE project = 'default' AND id = 'diamond') \
     ORDER BY m.uid, j.revision, j.part",
];

async fn run_sqlite(connection: &mut SqliteConnection, statement: &'static str) -> Result<()> {
    sqlx::query(statement).execute(connection).await.with_context(|| statement)?;
    Ok(())
}

async fn run_postgres(connection: &mut PgConnection, statement: &'static str) -> Result<()> {
    sqlx::query(statement).execute(connection).await.with_context(|| statement)?;
    Ok(())
}
