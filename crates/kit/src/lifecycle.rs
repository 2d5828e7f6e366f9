//! Tasks that are watched over, and an orderly end.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::signal::{Given, Signal};

/// The life of one mesh in this process: its tasks, and its end in two steps. First *draining*:
/// nothing new is taken on and streams are asked to reconnect elsewhere; then *stopped*.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    draining: Signal,
    /// The same, for what goes by tokens.
    draining_token: CancellationToken,
    stopped: Signal,
    tasks: TaskTracker,
}

/// What a task is for, and so what its end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// Serves calls. Its failure ends the mesh: half a mesh is worse than none.
    Essential,
    /// Works in the background. It is started again with growing pauses.
    Background,
}

impl Lifecycle {
    /// A new life.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a named task and watches over it: a panic or an error is logged, and then a
    /// background task is started again and an essential one ends the mesh. A task ends by
    /// returning `Ok`; it should do so soon after [`draining`](Self::draining).
    pub fn spawn<F, T, E>(&self, name: &'static str, kind: TaskKind, task: F)
    where
        F: Fn(Lifecycle) -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), E>> + Send,
        E: std::fmt::Display + Send,
    {
        let life = self.clone();
        self.spawn_future(async move {
            let mut pause = Duration::from_millis(100);
            loop {
                let ended = AssertUnwindSafe(task(life.clone())).catch_unwind().await;
                match ended {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => tracing::error!(task = name, %error, "task failed"),
                    Err(_) => tracing::error!(task = name, "task panicked"),
                }
                if kind == TaskKind::Essential {
                    life.drain();
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
                    () = life.draining() => return,
                }
            }
        });
    }

    /// Starts work that ends by itself, for example one that belongs to a single call. It is
    /// given up when the mesh stops.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
    pub fn spawn_future(&self, future: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped.given();
        tokio::spawn(self.tasks.track_future(async move {
            tokio::select! {
                biased;
                () = stopped => {}
                () = future => {}
            }
        }));
    }

    /// Begins the end.
    pub fn drain(&self) {
        self.draining.give();
        self.draining_token.cancel();
    }

    /// Waits for the beginning of the end.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        self.given_draining()
    }

    /// [`draining`](Self::draining), by its type.
    pub(crate) fn given_draining(&self) -> Given {
        self.draining.given()
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.is_given()
    }

    /// A token of the beginning of the end, for what cannot await.
    pub fn draining_token(&self) -> CancellationToken {
        self.draining_token.clone()
    }

    /// Drains, waits for all tasks for at most `grace`, and then stops those that are left.
    pub async fn shut_down(&self, grace: Duration) {
        self.drain();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "tasks did not end in time and are given up");
        }
        self.stopped.give();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_background_task_is_started_again() {
        let life = Lifecycle::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let (done, finished) = tokio::sync::oneshot::channel();
        let done = std::sync::Mutex::new(Some(done));
        let counter = Arc::clone(&runs);
        life.spawn("flaky", TaskKind::Background, move |_| {
            let run = counter.fetch_add(1, Ordering::SeqCst);
            let done = if run == 2 { done.lock().expect("not poisoned").take() } else { None };
            async move {
                match (run, done) {
                    (0, _) => panic!("at first"),
                    (1, _) => Err("then an error"),
                    (_, done) => {
                        done.expect("the third run").send(()).expect("the test waits");
                        Ok(())
                    }
                }
            }
        });
        finished.await.expect("it runs a third time");
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        assert!(!life.is_draining());
    }

    #[tokio::test]
    async fn an_essential_task_takes_the_mesh_with_it() {
        let life = Lifecycle::new();
        life.spawn("server", TaskKind::Essential, |_| async { Err::<(), _>("the port is gone") });
        life.draining().await;
        life.shut_down(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_given_up() {
        let life = Lifecycle::new();
        life.spawn_future(std::future::pending());
        life.shut_down(Duration::from_secs(5)).await;
    }
}
