//! Do both databases have the same schema?

use std::{collections::BTreeSet, fs, path::Path};

use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use crate::world::World;

fn migrations(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join("migrations");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_have_migrations_of_the_same_names() {
    let here = migrations("store-postgres");
    assert!(here.len() >= 4);
    assert_eq!(here, migrations("store-sqlite"));
}

/// Tables, their columns in order, and whether each may be absent.
type Columns = BTreeSet<(String, i64, String, bool)>;

async fn of_postgres(url: &str) -> Columns {
    let mut connection = PgConnection::connect(url).await.unwrap();
    // Partitions are part of their parents.
    let rows = sqlx::query(
        "SELECT c.relname::TEXT, a.attnum::BIGINT, a.attname::TEXT, a.attnotnull FROM pg_class c \
         JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 \
         AND c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

async fn of_sqlite(path: &Path) -> Columns {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
    let rows = sqlx::query(
        "SELECT t.name, c.cid + 1, c.name, c.\"notnull\" <> 0 FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name <> '_sqlx_migrations' AND t.name NOT LIKE 'sqlite_%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
}

#[tokio::test]
async fn both_have_tables_of_the_same_columns() {
    let Some(world) = World::new().await else { return };
    let postgres = weft_store_postgres::open(&world.url).await.unwrap();
    postgres.database.close().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weft.db");
    let sqlite = weft_store_sqlite::open(&format!("sqlite:{}", path.display())).await.unwrap();
    sqlite.database.close().await;

    let (ours, theirs) = (of_postgres(&world.url).await, of_sqlite(&path).await);
    world.remove().await;
    assert!(ours.len() > 60, "only {} columns found: the search is broken", ours.len());
    let differences: Vec<_> = ours.symmetric_difference(&theirs).collect();
    assert!(differences.is_empty(), "{differences:#?}");
}
