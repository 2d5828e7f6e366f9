//! Steps at work outside: begun after what led to them is on disk, stopped when they must.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use serde_json::Value as Json;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use weft_kit::Role;
use weft_store::NewExecution;

use super::{
    Parts,
    message::{Message, Outcome},
};
use crate::{
    domain::{fault::StepError, message, name, run::Performance},
    kept::Wanted,
    kinds::{self, Attempt},
};

/// How long a step that clears up by itself may take to.
const GRACE: Duration = Duration::from_secs(5);

/// What begins steps' work outside.
pub(super) struct Outward {
    parts: Arc<Parts>,
    messages: mpsc::Sender<Message>,
    /// Work is let go with the shard, as at the end of a process: not stopped, because whoever has the shard next goes on
    /// with it.
    gone: CancellationToken,
    _goes: DropGuard,
}

impl Outward {
    pub(super) fn new(parts: Arc<Parts>, messages: mpsc::Sender<Message>) -> Self {
        let gone = CancellationToken::new();
        Self { parts, messages, _goes: gone.clone().drop_guard(), gone }
    }

    /// Begins a step's work. What is done at once is given back; the rest comes as a message.
    pub(super) fn begin(
        &self,
        execution: &NewExecution,
        (ticket, performance): (u64, Performance),
        stop: CancellationToken,
    ) -> Option<Outcome> {
        let Performance { step, failures, generation, kind, request, timeout, queue: _, limit: _, cache } =
            performance;
        let head = message::head(&execution.head);
        let role = Role::try_from(head.role).unwrap_or(Role::Unspecified);
        let limit = timeout.unwrap_or(self.parts.options.step_timeout);
        // What is kept is looked for in the step's own time.
        let until = Instant::now() + limit;
        let attempt = Attempt {
            project: execution.project.clone(),
            key: kinds::key(execution.uid, step, generation),
            failures,
            depth: head.depth,
            caller: kinds::caller(&head.creator, &execution.project, role, &head.scopes),
            limit,
            until,
            stop: stop.clone(),
        };
        let kept = Arc::clone(&self.parts.kept);
        let cache = cache.map(|cache| cache.for_rights(head.role, &head.scopes));
        let maker = name::of_execution(&execution.project, &message::id_of(execution));
        let most_bytes = self.parts.options.max_value_bytes;
        let outside = Arc::clone(&self.parts.outside);
        let work = async move {
            let done = async {
                let stopped = async {
                    stop.cancelled().await;
                    if kind.stops_itself() {
                        tokio::time::sleep(GRACE).await;
                    }
                };
                let given = tokio::select! {
                    biased;
                    () = stopped => Err(StepError::new("CANCELLED", "it was stopped")),
                    ended = timeout_at(until, kind.perform(&outside, &attempt, request)) => {
                        ended.unwrap_or_else(|_| {
                            Err(StepError::passing("TIMEOUT", format!("it took longer than {limit:?}")))
                        })
                    }
                }?;
                bounded(given, most_bytes)
            };
            let Some(asked) = &cache else { return Ok((done.await?, None)) };
            // Who retries by hand wants it done.
            let is_found = generation == 0;
            let wanted = Wanted { project: &attempt.project, asked, is_found, maker, until, stop: &stop };
            kept.found_or(wanted, done).await
        };
        let execution = execution.id;
        let outcome = move |given: Result<(Json, Option<String>), StepError>| {
            let (result, cached_from) = match given {
                Ok((value, from)) => (Ok(value), from),
                Err(error) => (Err(error), None),
            };
            Outcome { ticket, execution, step, generation, result, cached_from }
        };
        let mut work = Box::pin(work);
        // What needs no waiting needs no task.
        if let Some(result) = (&mut work).now_or_never() {
            return Some(outcome(result));
        }
        let (messages, gone) = (self.messages.clone(), self.gone.clone());
        self.parts.lifecycle.spawn_future(async move {
            let Some(result) = gone.run_until_cancelled(work).await else { return };
            let outcome = outcome(result);
            // Fails when the engine has ended: whoever opens the shard next begins the step again.
            drop(messages.send(Message::Performed(Box::new(outcome))).await);
        });
        None
    }
}

/// What a step gives, if it is not too large.
pub(crate) fn bounded(value: Json, most_bytes: usize) -> Result<Json, StepError> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    if weft_kit::json::is_too_deep(&value) {
        return Err(StepError::new("VALUE_TOO_DEEP", "what it gives is nested too deep"));
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, &value) {
        Ok(()) if count.0 <= most_bytes => Ok(value),
        _ => {
            Err(StepError::new("VALUE_TOO_LARGE", format!("what it gives has more than {most_bytes} bytes")))
        }
    }
}
