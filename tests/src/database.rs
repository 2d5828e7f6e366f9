//! Real servers for tests: a PostgreSQL database of one's own, and Redis.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// PostgreSQL and Redis, as one test may use them.
#[derive(Debug)]
pub struct Backends {
    /// URL of a database that nobody else uses.
    pub postgres: String,
    /// URL of Redis with a prefix that nobody else uses.
    pub redis: String,
    server: String,
    name: String,
}

impl Backends {
    /// Finds the servers (`WEFT_TEST_POSTGRES`, `WEFT_TEST_REDIS`) and makes a database; `None` where
    /// only what needs no server is to be tested (`WEFT_TEST_BACKENDS=embedded`).
    ///
    /// # Panics
    /// There is no server.
    pub async fn find() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where servers are")]
        let variable = |name: &str| std::env::var(name).ok();
        if variable("WEFT_TEST_BACKENDS").as_deref() == Some("embedded") {
            return None;
        }
        let name = format!("weft_mesh_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let server = variable("WEFT_TEST_POSTGRES")
            .unwrap_or_else(|| "postgres://postgres@127.0.0.1:5432/postgres".into());
        if let Err(error) = execute(&server, format!("CREATE DATABASE {name}")).await {
            panic!(
                "this test needs PostgreSQL and a user who may create databases, at {server} ({error}): start one, \
                 set WEFT_TEST_POSTGRES, or set WEFT_TEST_BACKENDS=embedded to leave such tests out"
            );
        }
        let redis = variable("WEFT_TEST_REDIS").unwrap_or_else(|| "redis://127.0.0.1:6379".into());
        let at = server.rfind('/').expect("a URL of a database has a path");
        Some(Self {
            postgres: format!("{}/{name}", &server[..at]),
            redis: format!("{redis}?prefix={name}"),
            server,
            name,
        })
    }

    /// Drops the database.
    ///
    /// # Panics
    /// It cannot be dropped.
    pub async fn remove(self) {
        execute(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await.expect("it is ours");
    }
}

async fn execute(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    // The name was made above, of letters and numbers.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}
