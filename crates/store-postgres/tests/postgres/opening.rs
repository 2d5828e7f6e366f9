//! Does opening tell an operator what is wrong, and can many processes open at once?

use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use weft_store::OpenError;

use crate::world::World;

async fn sql(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn several_processes_open_an_empty_database_at_once() {
    let Some(world) = World::new().await else { return };
    let opened = join_all((0..4).map(|_| weft_store_postgres::open(&world.url))).await;
    for stores in opened {
        stores.unwrap().database.close().await;
    }
    world.remove().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let Some(world) = World::new().await else { return };
    weft_store_postgres::open(&world.url).await.unwrap().database.close().await;
    sql(
        &world.url,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, '\\x00', 0)",
    )
    .await;
    let refused = weft_store_postgres::open(&world.url).await.unwrap_err();
    world.remove().await;
    assert!(matches!(refused, OpenError::Newer { found: 9999, known: 4.. }), "{refused:?}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let Some(world) = World::new().await else { return };
    let url = world.url.replace("://", "://nobody:secret@").replace("secret@postgres@", "secret@");
    world.remove().await;
    let refused = weft_store_postgres::open(&url).await.unwrap_err();
    assert!(matches!(refused, OpenError::Unavailable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("weft_test_"), "{refused}");
    assert!(!format!("{refused:?}").contains("secret"), "{refused:?}");
}
