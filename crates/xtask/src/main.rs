//! Chores of this repository that need more than a shell: `cargo xtask <chore>`.

mod sql;

use clap::{Parser, Subcommand};

/// Chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks the SQL of the stores against live databases, and renews what they are checked against offline.
    ///
    /// To be run after a migration or a statement has changed. Needs a PostgreSQL server.
    Sql {
        /// A PostgreSQL server on which a database may be created and dropped.
        #[arg(
            long,
            env = "WEFT_TEST_POSTGRES",
            default_value = "postgres://postgres@127.0.0.1:5432/postgres",
            hide_env_values = true
        )]
        postgres: String,
        /// Changes nothing, and fails if something would have to change.
        #[arg(long)]
        check: bool,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Sql { postgres, check } => sql::run(&postgres, check).await,
    }
}
