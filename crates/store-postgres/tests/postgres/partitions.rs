//! Are executions partitioned as they are meant to be, and what an older release has written too?

use std::{borrow::Cow, path::Path};

use bytes::Bytes;
use sqlx::{Connection, PgConnection, migrate::Migrator};
use uuid::Uuid;
use weft_store::{
    ExecutionChange, ExecutionEvents, ExecutionFlush, NewExecution, OwnedExecutions, SHARD_BITS, Stores,
    Timestamp,
};

use crate::world::World;

/// Numbers of a block of journals.
const BLOCK: i64 = 1 << 20;

async fn names(url: &str, parent: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let names = sqlx::query_scalar(
        "SELECT c.relname::TEXT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = $1::TEXT::REGCLASS ORDER BY c.relname",
    );
    let names = names.bind(parent).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    names
}

async fn own(stores: &Stores, shard: i32) -> OwnedExecutions {
    stores.execution.own_executions(shard, Uuid::from_u128(1), Timestamp::from_micros(1)).await.unwrap()
}

fn flush(owned: &OwnedExecutions, ids: &[i64], ended: bool) -> ExecutionFlush {
    let at = Timestamp::from_micros(1);
    let execution = |id: &i64| NewExecution {
        id: *id,
        project: "p".into(),
        name: None,
        uid: Uuid::from_u128(id.cast_unsigned().into()),
        graph: "g".into(),
        revision: 1,
        definition: 1,
        head: Bytes::new(),
        request: None,
        at,
    };
    let change = |id: &i64| ExecutionChange {
        id: *id,
        state: 1,
        definition: 1,
        revision: 1,
        wake: None,
        reason: String::new(),
        steps: 0,
        retries: 0,
        approvals: 0,
        ended: ended.then_some(at),
    };
    let events = |id: &i64| ExecutionEvents { execution: *id, sequence: 1, bytes: Bytes::from_static(b"e") };
    ExecutionFlush {
        shard: owned.shard,
        epoch: owned.epoch,
        executions: ids.iter().map(execution).collect(),
        changes: ids.iter().map(change).collect(),
        events: ids.iter().map(events).collect(),
        ..ExecutionFlush::default()
    }
}

#[tokio::test]
async fn journals_are_dropped_in_blocks_and_what_goes_on_is_written_anew() {
    let Some(world) = World::new().await else { return };
    let stores = weft_store_postgres::open(&world.url).await.unwrap();
    let store = &stores.execution;
    let owned = own(&stores, 3).await;
    let first = 3_i64 << SHARD_BITS;
    let table = |block: i64| {
        format!("execution_events_{:x}_{:x}", first + block * BLOCK, first + (block + 1) * BLOCK)
    };
    assert_eq!(names(&world.url, "executions").await, ["executions_0", "executions_3"]);
    let mut of_block = Vec::new();
    for block in 0..3 {
        let begin = first + block * BLOCK;
        let ids: Vec<i64> = (1..=50).map(|n| begin + n).chain([begin + BLOCK - 1]).collect();
        store.flush_executions(flush(&owned, &ids[..1], false)).await.unwrap();
        store.flush_executions(flush(&owned, &ids[1..], true)).await.unwrap();
        of_block.push(ids);
    }
    let made = names(&world.url, "execution_events").await;
    let expected = ["execution_events_0_100000".to_owned(), table(0), table(1), table(2), table(3)];
    assert_eq!(made, expected, "the next one is made before it is wanted");

    // All of the first block, the others but for one that goes on.
    let over = ExecutionChange {
        ended: Some(Timestamp::from_micros(1)),
        ..flush(&owned, &of_block[0][..1], true).changes.remove(0)
    };
    store.flush_executions(ExecutionFlush { changes: vec![over], ..flush(&owned, &[], true) }).await.unwrap();
    store.forget_executions(&of_block.concat()).await.unwrap();
    let goes_on = of_block[1][0];
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    let statement = || sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table(1)));
    let rows: i64 = sqlx::query_scalar(statement()).fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 51, "journals are not deleted one by one");

    // Nobody is kept waiting for long, and nothing is half done: a reader is in the way.
    sqlx::raw_sql("BEGIN; SELECT COUNT(*) FROM execution_events").execute(&mut connection).await.unwrap();
    let newest = of_block[2].last().copied().unwrap() + 2;
    store.flush_executions(flush(&owned, &[newest], false)).await.unwrap();
    assert_eq!(store.tidy_executions(3).await.unwrap(), 0);
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap();

    assert_eq!(store.tidy_executions(3).await.unwrap(), 2, "the newest was deleted row by row");
    assert_eq!(store.tidy_executions(3).await.unwrap(), 0, "what is small stays");
    let left = names(&world.url, "execution_events").await;
    assert_eq!(left, ["execution_events_0_100000".to_owned(), table(1), table(2), table(3)]);
    let rows: i64 = sqlx::query_scalar(statement()).fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 1);
    assert_eq!(store.execution_events(goes_on, 0, 9).await.unwrap().len(), 1);
    connection.close().await.unwrap();
    stores.database.close().await;
    world.remove().await;
}

#[tokio::test]
async fn a_database_of_an_older_release_goes_on() {
    let Some(world) = World::new().await else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut migrator = Migrator::new(folder).await.unwrap();
    let before = migrator.migrations.iter().filter(|one| one.version < 28).cloned().collect::<Vec<_>>();
    migrator.migrations = Cow::Owned(before);
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    migrator.run_direct(None, &mut connection, false).await.unwrap();
    let second = (2_i64 << SHARD_BITS) + 5;
    let ids = [1, 7, BLOCK + 3, second];
    for id in ids {
        sqlx::query(
            "INSERT INTO executions (id, project, name, uid, graph, revision, definition, head, created, state, reason, \
             steps, retries, ended) VALUES ($1, 'p', 'n' || $1, gen_random_uuid(), 'g', 1, 1, '', now(), 1, '', 0, 0, NULL)",
        )
        .bind(id)
        .execute(&mut connection)
        .await
        .unwrap();
        sqlx::query("INSERT INTO execution_events (execution, sequence, bytes) VALUES ($1, 1, 'e')")
            .bind(id)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();

    let stores = weft_store_postgres::open(&world.url).await.unwrap();
    let store = &stores.execution;
    for id in ids {
        assert_eq!(store.get_execution(id).await.unwrap().execution.name, Some(format!("n{id}")));
        assert_eq!(store.execution_events(id, 0, 9).await.unwrap().len(), 1);
    }
    for (shard, last) in [(0, BLOCK + 3), (2, second)] {
        let owned = own(&stores, shard).await;
        assert_eq!(owned.last, last);
        store.flush_executions(flush(&owned, &[last + 1], true)).await.unwrap();
        let taken = NewExecution {
            name: Some(format!("n{last}")),
            ..flush(&owned, &[last + 2], true).executions.remove(0)
        };
        let taken = ExecutionFlush { executions: vec![taken], ..flush(&owned, &[], true) };
        assert!(store.flush_executions(taken).await.is_err(), "the name is taken");
    }
    let made = names(&world.url, "execution_events").await;
    assert!(made.contains(&"execution_events_0_200000".to_owned()), "{made:?}");
    stores.database.close().await;
    world.remove().await;
}
