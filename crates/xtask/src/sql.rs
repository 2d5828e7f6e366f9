//! Are the stores' statements right, and are their offline descriptions (`.sqlx`) those of today?
//!
//! The macros of sqlx describe each statement by asking a live database, and write the answer to the folder in
//! `SQLX_OFFLINE_DIR`. A description's file name is a digest of the statement's text only, so each crate needs
//! a folder of its own; and the variable must be set for one crate's build only, because it is looked at before
//! the crate's own folder.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{
    Connection, PgConnection,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

const DATABASE: &str = "weft_xtask_sql";

/// Renews or checks the descriptions of both stores.
pub(crate) async fn run(postgres: &str, check: bool) -> Result<()> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a crate lies in a folder")?;
    let folder = tempfile::tempdir()?;

    let sqlite = crates.join("store-sqlite");
    let file = folder.path().join("weft.db");
    migrate_sqlite(&sqlite, &file).await.context("migrating a SQLite file")?;
    let url = format!("sqlite://{}", file.display());
    let mut stale = describe(&sqlite, "WEFT_SQLITE_DATABASE_URL", &url, check)?;

    let crate_folder = crates.join("store-postgres");
    let options: PgConnectOptions = postgres.parse().context("the URL of the PostgreSQL server")?;
    let mut server = PgConnection::connect_with(&options)
        .await
        .context("no PostgreSQL server answers: start one, or name it with --postgres")?;
    sqlx::raw_sql("DROP DATABASE IF EXISTS weft_xtask_sql WITH (FORCE)").execute(&mut server).await?;
    sqlx::raw_sql("CREATE DATABASE weft_xtask_sql").execute(&mut server).await?;
    let described = async {
        let options = options.clone().database(DATABASE);
        migrate_postgres(&crate_folder, &options).await.context("migrating a PostgreSQL database")?;
        let url = sqlx::ConnectOptions::to_url_lossy(&options).to_string();
        describe(&crate_folder, "WEFT_POSTGRES_DATABASE_URL", &url, check)
    }
    .await;
    sqlx::raw_sql("DROP DATABASE weft_xtask_sql WITH (FORCE)").execute(&mut server).await?;
    stale.extend(described?);

    ensure!(stale.is_empty(), "out of date, run `cargo xtask sql`:\n{}", stale.join("\n"));
    Ok(())
}

async fn migrate_sqlite(crate_folder: &Path, file: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    Migrator::new(crate_folder.join("migrations")).await?.run(&pool).await?;
    pool.close().await;
    Ok(())
}

async fn migrate_postgres(crate_folder: &Path, options: &PgConnectOptions) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    Migrator::new(crate_folder.join("migrations")).await?.run(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Compiles a crate against a database, and puts the descriptions that come out of it in their place. With
/// `check`, only says which are not what is there.
fn describe(crate_folder: &Path, variable: &str, url: &str, check: bool) -> Result<Vec<String>> {
    let fresh = tempfile::tempdir()?;
    let name = crate_folder.file_name().context("a crate has a folder")?.to_string_lossy().into_owned();
    // Makes Cargo compile the crate, and with it ask the database, though no source has changed.
    let root = crate_folder.join("src/lib.rs");
    fs::File::options().append(true).open(&root)?.set_modified(now())?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["check", "--quiet", "--package", &format!("weft-{name}")])
        .env(variable, url)
        .env("SQLX_OFFLINE_DIR", fresh.path())
        .env_remove("SQLX_OFFLINE")
        .status()
        .context("running cargo")?;
    if !status.success() {
        bail!("weft-{name} does not compile against its database");
    }
    let (now, before) = (descriptions(fresh.path())?, descriptions(&crate_folder.join(".sqlx"))?);
    ensure!(!now.is_empty(), "weft-{name} has described no statement");
    if check {
        let differs = |name: &&String| now.get(*name) != before.get(*name);
        let mut stale: Vec<_> = now.keys().chain(before.keys()).filter(differs).cloned().collect();
        stale.sort();
        stale.dedup();
        return Ok(stale.into_iter().map(|file| format!("crates/{name}/.sqlx/{file}")).collect());
    }
    let target = crate_folder.join(".sqlx");
    fs::create_dir_all(&target)?;
    for file in before.keys().filter(|file| !now.contains_key(*file)) {
        fs::remove_file(target.join(file))?;
    }
    for (file, text) in &now {
        fs::write(target.join(file), text)?;
    }
    #[expect(clippy::print_stdout, reason = "a chore says what it did")]
    {
        println!("weft-{name}: {} statements", now.len());
    }
    Ok(Vec::new())
}

/// For the date of a file.
#[expect(clippy::disallowed_methods, reason = "a program run by hand has no clock to be given")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Texts of the descriptions in a folder, by file name; none when there is no folder. Line ends at the end of a
/// file are not part of a description.
fn descriptions(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    if !folder.exists() {
        return Ok(texts);
    }
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            texts.insert(name, format!("{}\n", fs::read_to_string(&path)?.trim_end()));
        }
    }
    Ok(texts)
}
