//! How a database file is opened, and what keeps a process from opening the wrong one.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use weft_store::{OpenError, Stores};

use crate::{Sqlite, fault::is_damage, writer::Writer};

/// The schema. Its file names are the same as those of the PostgreSQL store; a test there compares them.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// "weft" in ASCII: marks a file as ours.
const APPLICATION_ID: i32 = 0x7765_6674;
/// Up to this size every page is checked at start, which takes well under a second.
const CHECKED_SIZE: u64 = 64 << 20;
/// Connections that read. SQLite reads are short and mostly from memory; more than a few only wait for each
/// other.
const READERS: u32 = 4;

/// Opens the database `sqlite:PATH`, makes it if it is not there, and brings its schema up to date.
///
/// Fails if another process has it open, if it is damaged or not a database of weft, and if a newer program
/// has written it. Two more files are made next to it while it is open (`-wal`, `-shm`), and `.lock`, which
/// stays.
pub async fn open(url: &str) -> Result<Stores, OpenError> {
    let path = path_of(url)?;
    let lock = Arc::new(lock(&path)?);
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    let connection = prepare(&path, &options).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(|error| failed(&path, error))?;
    let store = Arc::new(Sqlite {
        path: shown(&path),
        writer: Writer::start(connection, lock),
        readers,
        saving: tokio::sync::Mutex::new(()),
    });
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

/// The file that a URL names.
fn path_of(url: &str) -> Result<PathBuf, OpenError> {
    let rest =
        url.strip_prefix("sqlite:").ok_or_else(|| OpenError::Url("must begin with \"sqlite:\"".into()))?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains('?') || path.contains(":memory:") {
        return Err(OpenError::Url("must be sqlite:PATH of a file, without options".into()));
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(OpenError::Url("sqlite:PATH must name a file".into()));
    }
    PathBuf::from_str(path).map_err(|error| OpenError::Url(error.to_string()))
}

/// Takes the lock file, which the operating system gives back when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(name)
        .map_err(|source| OpenError::Unavailable { path: shown(path), source: source.into() })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: shown(path) }),
        Err(TryLockError::Error(source)) => {
            Err(OpenError::Unavailable { path: shown(path), source: source.into() })
        }
    }
}

/// The writing connection of a database that is sound and up to date.
async fn prepare(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection, OpenError> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone())
        .await
        .map_err(|error| failed(path, error))?;
    let mut connection = pool.acquire().await.map_err(|error| failed(path, error))?;
    check_owner(path, &mut connection).await?;
    check_pages(path, &mut connection).await?;
    drop(connection);
    MIGRATIONS.run(&pool).await.map_err(|error| not_migrated(path, error))?;
    let connection = pool.acquire().await.map_err(|error| failed(path, error))?;
    Ok(connection.detach())
}

/// That the file is empty or ours.
async fn check_owner(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| failed(path, error))?;
    let owner: i32 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| failed(path, error))?;
    if owner == APPLICATION_ID {
        return Ok(());
    }
    if tables > 0 {
        return Err(damaged(path, "it is a database of another program"));
    }
    // 0x77656674, spelled out because a pragma takes no parameters.
    sqlx::query("PRAGMA application_id = 2003134068")
        .execute(connection)
        .await
        .map_err(|error| failed(path, error))?;
    Ok(())
}

/// That no page is missing and, in a file of moderate size, that every page is what it should be.
async fn check_pages(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    // Brings what a killed process has left in the log into the file, so that the sizes can be compared.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut *connection)
        .await
        .map_err(|error| failed(path, error))?;
    let expected: i64 =
        sqlx::query_scalar("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| failed(path, error))?;
    let size = std::fs::metadata(path)
        .map_err(|source| OpenError::Unavailable { path: shown(path), source: source.into() })?
        .len();
    if size < expected as u64 {
        return Err(damaged(path, &format!("it has {size} bytes of {expected}")));
    }
    if size > CHECKED_SIZE {
        return Ok(());
    }
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await
        .map_err(|error| failed(path, error))?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(path, &verdict)) }
}

fn not_migrated(path: &Path, error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(found) => {
            let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
            OpenError::Newer { found, known }
        }
        MigrateError::VersionMismatch(version) => {
            damaged(path, &format!("its migration {version} is not the one that this program has"))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(path, error),
        other => OpenError::Unavailable { path: shown(path), source: other.into() },
    }
}

fn failed(path: &Path, error: sqlx::Error) -> OpenError {
    if is_damage(&error) {
        return damaged(path, &error.to_string());
    }
    OpenError::Unavailable { path: shown(path), source: error.into() }
}

fn damaged(path: &Path, reason: &str) -> OpenError {
    OpenError::Damaged { path: shown(path), reason: reason.to_owned() }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_files() {
        assert_eq!(path_of("sqlite:/a/b.db").unwrap(), Path::new("/a/b.db"));
        assert_eq!(path_of("sqlite:///a/b.db").unwrap(), Path::new("/a/b.db"));
        assert_eq!(path_of("sqlite:b.db").unwrap(), Path::new("b.db"));
        for url in ["postgres://x", "sqlite:", "sqlite:/a/", "sqlite::memory:", "sqlite:a.db?mode=ro"] {
            assert!(matches!(path_of(url), Err(OpenError::Url(_))), "{url}");
        }
    }

    #[test]
    fn the_mark_spells_weft() {
        assert_eq!(APPLICATION_ID.to_be_bytes(), *b"weft");
        assert_eq!(APPLICATION_ID, 2_003_134_068);
    }
}
