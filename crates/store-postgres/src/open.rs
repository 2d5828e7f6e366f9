//! How a database is opened, and what keeps a process from the wrong one.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::OnceCell;
use weft_store::{OpenError, Stores};

use crate::Postgres;

/// The schema. Its file names are the same as those of the SQLite store; a test compares them.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// Connections of one process. Writes are short; the server's own limit is shared by all processes.
const CONNECTIONS: u32 = 10;
/// How long to wait for a connection before a caller is told that there is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the database `postgres://[USER[:PASSWORD]@]HOST[:PORT]/NAME`, which must exist, and brings its schema
/// up to date. Several processes may do so at the same time.
///
/// Fails if a newer program has written it.
pub async fn open(url: &str) -> Result<Stores, OpenError> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(OpenError::Url("must begin with \"postgres://\"".into()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| OpenError::Url(error.to_string()))?;
    let shown = shown(&options);
    migrate(&options, &shown).await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options.application_name("weft").options([
            ("synchronous_commit", "on"),
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", "60s"),
        ]))
        .await
        .map_err(|error| failed(&shown, error))?;
    let store = Arc::new(Postgres { pool, shown, shards: OnceCell::new() });
    Ok(Stores {
        graph: store.clone(),
        source: store.clone(),
        layout: store.clone(),
        member: store.clone(),
        placement: store.clone(),
        analysis: store.clone(),
        command: store.clone(),
        execution: store.clone(),
        agent: store.clone(),
        alert: store.clone(),
        identity: store.clone(),
        jobs: store.clone(),
        kept_result: store.clone(),
        object: store.clone(),
        secret: store.clone(),
        telemetry: store.clone(),
        trigger: store.clone(),
        database: store,
    })
}

/// Over a connection of its own, because a migration may take longer than any other statement.
async fn migrate(options: &PgConnectOptions, shown: &str) -> Result<(), OpenError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await
        .map_err(|error| failed(shown, error))?;
    let migrated = MIGRATIONS.run(&pool).await;
    pool.close().await;
    migrated.map_err(|error| match error {
        MigrateError::VersionMissing(found) => {
            let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
            OpenError::Newer { found, known }
        }
        MigrateError::VersionMismatch(version) => OpenError::Damaged {
            path: shown.to_owned(),
            reason: format!("its migration {version} is not the one that this program has"),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(shown, error),
        other => OpenError::Unavailable { path: shown.to_owned(), source: other.into() },
    })
}

/// A database's URL without its password.
fn shown(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    format!("postgres://{}@{}:{}/{name}", options.get_username(), options.get_host(), options.get_port())
}

fn failed(shown: &str, error: sqlx::Error) -> OpenError {
    OpenError::Unavailable { path: shown.to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_has_no_password() {
        let options = PgConnectOptions::from_str("postgres://me:secret@db:5433/weft").unwrap();
        assert_eq!(shown(&options), "postgres://me@db:5433/weft");
    }

    #[tokio::test]
    async fn another_scheme_is_refused() {
        assert!(matches!(open("mysql://db/weft").await, Err(OpenError::Url(_))));
    }
}
