//! Does opening tell an operator what is wrong with a database?

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;
use weft_store::{NewGraph, OpenError, Timestamp};

fn place() -> (TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weft.db");
    let url = format!("sqlite:{}", path.display());
    (folder, path, url)
}

/// A database with a graph of some size in it, closed.
async fn filled(url: &str) {
    let stores = weft_store_sqlite::open(url).await.unwrap();
    let new = NewGraph {
        project: "p".into(),
        id: "g".into(),
        uid: Uuid::from_u128(1),
        display_name: String::new(),
        description: String::new(),
        kind: 1,
        labels: std::collections::BTreeMap::new(),
        parts: vec![Bytes::from(vec![7; 1 << 20]); 3],
        at: Timestamp::default(),
        actor: String::new(),
    };
    let _created = stores.graph.create_graph(new, None).await.unwrap();
    stores.database.close().await;
}

async fn sql(path: &Path, statement: &'static str) {
    let mut connection =
        SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display())).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_database_opens_again_with_what_was_in_it() {
    let (_folder, path, url) = place();
    filled(&url).await;
    assert!(!path.with_extension("db-wal").exists(), "closing leaves one file and its lock");
    let stores = weft_store_sqlite::open(&url).await.unwrap();
    assert_eq!(stores.graph.get_graph("p", "g").await.unwrap().uid, Uuid::from_u128(1));
}

#[tokio::test]
async fn a_database_can_be_opened_in_any_task() {
    let (_folder, _path, url) = place();
    #[expect(
        clippy::disallowed_methods,
        reason = "the point is that the future can be sent to another thread"
    )]
    let opened =
        tokio::spawn(async move { weft_store_sqlite::open(&url).await.map(|stores| stores.database) });
    opened.await.unwrap().unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn a_database_in_use_is_refused_until_it_is_closed() {
    let (_folder, _path, url) = place();
    let first = weft_store_sqlite::open(&url).await.unwrap();
    let refused = weft_store_sqlite::open(&url).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
    first.database.close().await;
    weft_store_sqlite::open(&url).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let (_folder, path, url) = place();
    filled(&url).await;
    sql(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let refused = weft_store_sqlite::open(&url).await.unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 9999, known: 4.. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_was_cut_is_damaged() {
    let (_folder, path, url) = place();
    filled(&url).await;
    let length = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2 / 4096 * 4096).unwrap();
    let refused = weft_store_sqlite::open(&url).await.unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_was_written_over_is_damaged() {
    for offset in [0, 4096 + 1, 8 * 4096] {
        let (_folder, path, url) = place();
        filled(&url).await;
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        file.write_all(&[0xa5; 2_000]).unwrap();
        drop(file);
        let refused = weft_store_sqlite::open(&url).await.unwrap_err();
        assert!(matches!(refused, OpenError::Damaged { .. }), "{offset}: {refused:?}");
        assert!(refused.to_string().contains("weft.db is damaged"), "{refused}");
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let (_folder, path, url) = place();
    sql(&path, "CREATE TABLE customers (id INTEGER PRIMARY KEY)").await;
    let before = fs::read(&path).unwrap();
    let refused = weft_store_sqlite::open(&url).await.unwrap_err();
    assert!(refused.to_string().contains("another program"), "{refused}");
    let tables_only = |bytes: &[u8]| bytes.windows(9).filter(|window| *window == b"customers").count();
    assert_eq!(tables_only(&fs::read(&path).unwrap()), tables_only(&before));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let (folder, ..) = place();
    let url = format!("sqlite:{}", folder.path().join("no/such/folder/weft.db").display());
    let refused = weft_store_sqlite::open(&url).await.unwrap_err();
    assert!(
        matches!(&refused, OpenError::Unavailable { path, .. } if path.contains("no/such")),
        "{refused:?}"
    );
}
