//! A database of its own for each area of tests, on the server that `WEFT_TEST_POSTGRES` names.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use weft_store::conformance::Case;

/// Counts the databases of this process, for their names.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The URL of a fresh, empty database and how to remove it.
pub(crate) struct World {
    /// Its URL.
    pub(crate) url: String,
    name: String,
    server: String,
}

impl World {
    /// A fresh database, or `None` where only what needs no server is to be tested. Panics, so that the test
    /// fails, when there is no server.
    pub(crate) async fn new() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where servers are")]
        let variable = |name| std::env::var(name).ok();
        if variable("WEFT_TEST_BACKENDS").as_deref() == Some("embedded") {
            return None;
        }
        let server = variable("WEFT_TEST_POSTGRES")
            .unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".into());
        let name = format!("weft_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut connection = connect(&server).await;
        // The name is made of two numbers, so it needs no quoting.
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let options: PgConnectOptions = server.parse().unwrap();
        let url = options.database(&name).to_url_lossy().to_string();
        Some(Self { url, name, server })
    }

    /// Removes all rows. Quicker than `TRUNCATE`, which makes new files for hundreds of partitions.
    async fn empty(&self) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(
            "DO $$ DECLARE name TEXT; BEGIN \
             FOR name IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                 AND c.relname <> '_sqlx_migrations' \
             LOOP EXECUTE format('DELETE FROM %I', name); END LOOP; END $$",
        )
        .execute(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
    }

    /// Removes the database.
    pub(crate) async fn remove(self) {
        let mut connection = connect(&self.server).await;
        let statement = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
}

async fn connect(server: &str) -> PgConnection {
    match PgConnection::connect(server).await {
        Ok(connection) => connection,
        Err(error) => panic!(
            "these tests need PostgreSQL, and none answers as WEFT_TEST_POSTGRES says ({error}): start one, set \
             WEFT_TEST_POSTGRES, or set WEFT_TEST_BACKENDS=embedded to leave them out"
        ),
    }
}

/// Runs cases one after another on a database, which is empty before each, and removes it. Fails with the
/// names of the cases that did.
pub(crate) async fn on_one_database(cases: Vec<(&'static str, Case)>) {
    let Some(world) = World::new().await else { return };
    let mut failed = Vec::new();
    for (name, case) in cases {
        let url = world.url.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "awaited at once: a task, so that a panic can be caught"
        )]
        let ended = tokio::spawn(async move {
            let stores = weft_store_postgres::open(&url).await.unwrap();
            case(stores.clone()).await;
            stores.database.close().await;
        });
        if ended.await.is_err() {
            failed.push(name);
        }
        world.empty().await;
    }
    world.remove().await;
    assert!(failed.is_empty(), "failed: {failed:?}");
}
