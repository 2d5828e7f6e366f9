//! How many writes share one disk flush: the task that owns the only writing connection.
//!
//! Writes wait in a queue. The task opens a transaction for the first, and as long as more are waiting runs
//! them in the same one, each in a savepoint; then it commits, and only then tells their callers. With one
//! caller at a time a write costs one flush; with many, a flush is shared by all that came during the one
//! before.

use std::{fs::File, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use weft_store::{Result, StoreError};

/// How many writes may wait; more callers wait for a place.
const QUEUE: usize = 1_024;
/// How many writes share a transaction at most.
const GROUP: usize = 256;
/// How long a transaction stays open for more at most: a stream of large writes must not put off the
/// acknowledgement of the first.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// Tells a caller what became of the commit: nothing on success, why on failure.
type Acknowledge = Box<dyn FnOnce(Option<&str>) + Send>;
/// A write without its result's type: runs, and says whether its changes are to be kept.
type Job = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, (bool, Acknowledge)> + Send>;

enum Message {
    Write(Job),
    /// Commit what was queued before, close the connection, then answer.
    Close(oneshot::Sender<()>),
}

/// A handle on the task.
pub(crate) struct Writer {
    queue: mpsc::Sender<Message>,
}

impl Writer {
    /// Starts the task on the current runtime. The lock is held until the connection is closed.
    pub(crate) fn start(connection: SqliteConnection, lock: Arc<File>) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE);
        #[expect(
            clippy::disallowed_methods,
            reason = "a store has no runtime kit below it; the task ends when its last handle is dropped"
        )]
        tokio::spawn(run(connection, messages, lock));
        Self { queue }
    }

    /// Runs one atomic write, and comes back when it is on disk. If the caller goes away, the write still
    /// happens.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            Box::pin(async move {
                let result = work(connection).await;
                let keep = result.is_ok();
                let acknowledge: Acknowledge = Box::new(move |failure| {
                    let result = match failure {
                        // A refusal wrote nothing, so it is right whatever became of the commit.
                        Some(failure) if keep => Err(StoreError::unavailable(failure.to_owned())),
                        _ => result,
                    };
                    // Fails when the caller has gone away, who then does not want to know.
                    drop(answer.send(result));
                });
                (keep, acknowledge)
            })
        });
        self.queue.send(Message::Write(job)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| StoreError::unavailable("the write was not begun"))?
    }

    /// Whether the task has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// Finishes what is queued, and closes the connection.
    pub(crate) async fn close(&self) {
        let (done, finished) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // Fails when another `close` was first and the queue ended: closed all the same.
            drop(finished.await);
        }
        self.queue.closed().await;
    }
}

fn closed() -> StoreError {
    StoreError::unavailable("the database is closed")
}

/// The task: ends at `Close`, or when the last handle is dropped.
async fn run(mut connection: SqliteConnection, mut messages: mpsc::Receiver<Message>, lock: Arc<File>) {
    let mut closing = Vec::new();
    while let Some(message) = messages.recv().await {
        match message {
            Message::Write(job) => group(&mut connection, job, &mut messages, &mut closing).await,
            Message::Close(done) => closing.push(done),
        }
        if !closing.is_empty() {
            // Refuses new writes; those that are queued still come out of `recv`.
            messages.close();
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the database failed; its log is replayed at the next start");
    }
    drop(lock);
    for done in closing {
        // Fails when the closer has gone away.
        let _ = done.send(());
    }
}

/// One transaction: the job and those that are waiting behind it.
async fn group(
    connection: &mut SqliteConnection,
    first: Job,
    messages: &mut mpsc::Receiver<Message>,
    closing: &mut Vec<oneshot::Sender<()>>,
) {
    let mut acknowledgements = Vec::new();
    let outcome = fill(connection, first, messages, closing, &mut acknowledgements).await;
    let committed = match outcome {
        Ok(()) => execute(connection, "COMMIT").await,
        Err(error) => Err(error),
    };
    let failure = committed.err().map(|error| {
        tracing::error!(%error, writes = acknowledgements.len(), "a group of writes was not committed");
        error.to_string()
    });
    if failure.is_some() {
        // Fails when SQLite has rolled back by itself, as it does when the disk is full.
        drop(execute(connection, "ROLLBACK").await);
    }
    for acknowledge in acknowledgements {
        acknowledge(failure.as_deref());
    }
}

/// Runs jobs in one transaction until none is waiting or the group is full.
async fn fill(
    connection: &mut SqliteConnection,
    first: Job,
    messages: &mut mpsc::Receiver<Message>,
    closing: &mut Vec<oneshot::Sender<()>>,
    acknowledgements: &mut Vec<Acknowledge>,
) -> sqlx::Result<()> {
    let deadline = tokio::time::Instant::now() + GROUP_TIME;
    // On an error here and below, the job that has not run is dropped, which tells its caller.
    execute(connection, "BEGIN IMMEDIATE").await?;
    let mut next = Some(first);
    while let Some(job) = next.take() {
        execute(connection, "SAVEPOINT write").await?;
        let (keep, acknowledge) = job(connection).await;
        acknowledgements.push(acknowledge);
        if !keep {
            execute(connection, "ROLLBACK TO write").await?;
        }
        execute(connection, "RELEASE write").await?;
        if acknowledgements.len() >= GROUP || tokio::time::Instant::now() >= deadline {
            break;
        }
        next = match messages.try_recv() {
            Ok(Message::Write(job)) => Some(job),
            Ok(Message::Close(done)) => {
                closing.push(done);
                None
            }
            Err(_) => None,
        };
    }
    Ok(())
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    sqlx::query(sql).execute(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use futures::future::{join, join_all};
    use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

    use super::*;

    /// A writer on a fresh file with a table of numbers, and a second connection that sees what is committed.
    async fn world() -> (tempfile::TempDir, Writer, SqliteConnection) {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("test.db"))
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let mut connection = options.connect().await.unwrap();
        sqlx::query("CREATE TABLE numbers (n INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();
        let lock = Arc::new(File::create(folder.path().join("lock")).unwrap());
        (folder, Writer::start(connection, lock), options.connect().await.unwrap())
    }

    async fn insert(connection: &mut SqliteConnection, n: i64) -> Result<()> {
        let query = sqlx::query("INSERT INTO numbers (n) VALUES ($1)").bind(n);
        query.execute(connection).await.map(|_| ()).map_err(crate::fault::fault)
    }

    async fn numbers(reader: &mut SqliteConnection) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM numbers ORDER BY n").fetch_all(reader).await.unwrap()
    }

    #[tokio::test]
    async fn one_failing_write_does_not_fail_its_group() {
        let (_folder, writer, mut reader) = world().await;
        let (go, gate) = oneshot::channel::<()>();
        // Keeps the transaction open until all the others are queued behind it.
        let first = writer.write(|connection| {
            Box::pin(async move {
                gate.await.unwrap();
                insert(connection, 0).await
            })
        });
        let others = async {
            let others = join_all((1..=9_i64).map(|n| {
                writer.write(move |connection| {
                    Box::pin(async move {
                        insert(connection, n).await?;
                        if n % 3 == 0 {
                            insert(connection, -n).await?;
                            return Err(StoreError::Conflict { reason: "half done" });
                        }
                        Ok(())
                    })
                })
            }));
            let release = async {
                // The queue holds messages as soon as `join_all` has polled each write once.
                while writer.queue.capacity() > QUEUE - 9 {
                    tokio::task::yield_now().await;
                }
                assert!(numbers(&mut reader).await.is_empty(), "nothing is committed yet");
                go.send(()).unwrap();
            };
            join(others, release).await.0
        };
        let (first, others) = join(first, others).await;
        first.unwrap();
        for (n, result) in (1..).zip(others) {
            assert_eq!(result.is_err(), n % 3 == 0, "{n}: {result:?}");
        }
        assert_eq!(numbers(&mut reader).await, [0, 1, 2, 4, 5, 7, 8]);
    }

    #[tokio::test]
    async fn a_write_that_breaks_a_constraint_is_a_bug_and_leaves_nothing() {
        let (_folder, writer, mut reader) = world().await;
        let twice = writer.write(|connection| {
            Box::pin(async move {
                insert(connection, 1).await?;
                insert(connection, 1).await
            })
        });
        assert!(matches!(twice.await, Err(StoreError::Bug(_))));
        assert!(numbers(&mut reader).await.is_empty());
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_committed_fails_all_its_writes_and_no_later_ones() {
        let (_folder, writer, mut reader) = world().await;
        // Ends the transaction under the writer's feet, as SQLite itself does when the disk is full.
        let broken = writer.write(|connection| {
            Box::pin(async move {
                insert(connection, 1).await?;
                sqlx::query("ROLLBACK").execute(connection).await.unwrap();
                Ok(())
            })
        });
        assert!(matches!(broken.await, Err(StoreError::Unavailable(_))));
        writer.write(|connection| Box::pin(insert(connection, 2))).await.unwrap();
        assert_eq!(numbers(&mut reader).await, [2]);
    }

    #[tokio::test]
    async fn closing_finishes_what_is_queued() {
        let (_folder, writer, mut reader) = world().await;
        let writes =
            join_all((1..=50).map(|n| writer.write(move |connection| Box::pin(insert(connection, n)))));
        let (results, ()) = join(writes, writer.close()).await;
        let written = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(written, 50);
        assert_eq!(numbers(&mut reader).await.len(), 50);
        assert!(writer.is_closed());
        let late = writer.write(|connection| Box::pin(insert(connection, 99))).await;
        assert!(matches!(late, Err(StoreError::Unavailable(_))));
    }
}
