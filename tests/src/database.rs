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
    /// Where the database is to be dropped again, and its name; nothing where the server is the test's own.
    made: Option<(String, String)>,
}

impl Backends {
    /// Finds the servers (`WEFT_TEST_POSTGRES`, `WEFT_TEST_REDIS`) and makes a database; `None` where
    /// only what needs no server is to be tested (`WEFT_TEST_BACKENDS=embedded`).
    ///
    /// # Panics
    /// There is no server.
    pub async fn find() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if Self::are_left_out() {
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
            made: Some((server, name)),
        })
    }

    /// Servers of a test's own.
    pub fn own(postgres: &str, redis: &str) -> Self {
        Self { postgres: postgres.to_owned(), redis: redis.to_owned(), made: None }
    }

    /// Whether only what needs no server is to be tested.
    pub fn are_left_out() -> bool {
        variable("WEFT_TEST_BACKENDS").as_deref() == Some("embedded")
    }

    /// Drops the database.
    ///
    /// # Panics
    /// It cannot be dropped.
    pub async fn remove(self) {
        if let Some((server, name)) = self.made {
            execute(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("it is ours");
        }
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are told by the environment where servers are")]
    std::env::var(name).ok()
}

async fn execute(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    // The name was made above, of letters and numbers.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}
