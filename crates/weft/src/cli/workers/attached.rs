//! What a worker has: tasks at work, and results that are not settled. It outlives the streams.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;
use weft_proto::weft::execution::v1::{TaskResult, TaskSettlement};

/// A task.
enum Has {
    /// At work; ended by its token.
    Work(CancellationToken),
    /// It has ended, and whether that is on disk is not known.
    Result(TaskResult),
}

/// The tasks of a worker.
#[derive(Default)]
pub(super) struct Tasks(HashMap<String, Has>);

impl Tasks {
    /// A task was given. What is to stop it, where it is to be begun; nothing where it is at work, or has ended, already.
    pub(super) fn begin(&mut self, token: &str) -> Option<CancellationToken> {
        if self.0.contains_key(token) {
            return None;
        }
        let stop = CancellationToken::new();
        self.0.insert(token.to_owned(), Has::Work(stop.clone()));
        Some(stop)
    }

    /// A task is to end.
    pub(super) fn stop(&self, token: &str) {
        if let Some(Has::Work(stop)) = self.0.get(token) {
            stop.cancel();
        }
    }

    /// All are to end.
    pub(super) fn stop_all(&self) {
        for has in self.0.values() {
            if let Has::Work(stop) = has {
                stop.cancel();
            }
        }
    }

    /// A task has ended. Whether that is to be told: one that was settled meanwhile is nobody's.
    pub(super) fn end(&mut self, result: TaskResult) -> bool {
        let Some(has) = self.0.get_mut(&result.token) else { return false };
        *has = Has::Result(result);
        true
    }

    /// What has become of a task. One that is at work is ended: what comes of it counts for nothing.
    pub(super) fn settle(&mut self, settlement: &TaskSettlement) {
        if let Some(Has::Work(stop)) = self.0.remove(&settlement.token) {
            stop.cancel();
        }
    }

    /// The result of a task that has ended.
    pub(super) fn result(&self, token: &str) -> Option<&TaskResult> {
        match self.0.get(token) {
            Some(Has::Result(result)) => Some(result),
            _ => None,
        }
    }

    /// All that are not settled, by their tokens.
    pub(super) fn tokens(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// Results that are not settled.
    pub(super) fn results(&self) -> Vec<TaskResult> {
        self.0
            .values()
            .filter_map(|has| match has {
                Has::Result(result) => Some(result.clone()),
                Has::Work(_) => None,
            })
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::execution::v1::TaskDisposition;

    use super::*;

    fn settlement(token: &str, disposition: TaskDisposition) -> TaskSettlement {
        TaskSettlement { token: token.to_owned(), disposition: disposition.into() }
    }

    #[test]
    fn a_task_is_done_once_and_told_until_it_is_settled() {
        let mut tasks = Tasks::default();
        let stop = tasks.begin("a").expect("it is new");
        assert!(tasks.begin("a").is_none(), "it is at work");
        assert!(tasks.end(TaskResult { token: "a".into(), outcome: None }));
        assert!(tasks.begin("a").is_none() && tasks.result("a").is_some(), "it has ended");
        assert_eq!((tasks.results().len(), tasks.tokens()), (1, vec!["a".to_owned()]));
        tasks.settle(&settlement("a", TaskDisposition::Recorded));
        assert!(tasks.is_empty() && !stop.is_cancelled());
        // One that is given to others meanwhile is ended, and not told.
        let stop = tasks.begin("b").expect("it is new");
        tasks.settle(&settlement("b", TaskDisposition::Stale));
        assert!(stop.is_cancelled());
        assert!(!tasks.end(TaskResult { token: "b".into(), outcome: None }));
    }
}
