//! Which names and requests are taken: of executions that are on disk, and of those of the same flush.

use std::collections::HashSet;

use bytes::Bytes;
use weft_store::{ExecutionRow, NewExecution, StoreError};

use super::{Parts, message::Message};
use crate::{Error, domain::name};

/// What names and requests there are.
#[derive(Default)]
pub(super) struct Known {
    asked_names: Vec<(String, String)>,
    asked_requests: Vec<Bytes>,
    found: Vec<ExecutionRow>,
    /// Those of this flush.
    names: HashSet<(String, String)>,
    requests: HashSet<Bytes>,
}

/// What becomes of an execution that is to be accepted.
pub(super) enum Verdict {
    /// It is accepted.
    New,
    /// What it may repeat is in this flush: it is looked at in the next one.
    Later,
    /// There is this one already.
    Repeat(Box<ExecutionRow>),
    Refused(Error),
}

impl Known {
    /// Of the executions that are to be accepted.
    pub(super) fn of(group: &[Message]) -> Self {
        let mut known = Self::default();
        for message in group {
            let Message::Create(creation, _) = message else { continue };
            known.asked(&creation.execution);
        }
        known
    }

    fn asked(&mut self, new: &NewExecution) {
        self.asked_names.extend(new.name.clone().map(|name| (new.project.clone(), name)));
        self.asked_requests.extend(new.request.as_ref().map(|(request, _)| request.clone()));
    }

    /// Which of them the store has.
    pub(super) async fn look(&mut self, parts: &Parts) -> Result<(), StoreError> {
        if !self.asked_names.is_empty() || !self.asked_requests.is_empty() {
            self.found =
                parts.store.find_executions(parts.shard, &self.asked_names, &self.asked_requests).await?;
        }
        Ok(())
    }

    pub(super) fn verdict(&self, new: &NewExecution) -> Verdict {
        if let Some((request, print)) = &new.request {
            if self.requests.contains(request) {
                // What it repeats is on disk by then.
                return Verdict::Later;
            }
            let of = |row: &&ExecutionRow| {
                row.execution.request.as_ref().is_some_and(|(known, _)| known == request)
            };
            if let Some(row) = self.found.iter().find(of) {
                let is_same = row.execution.project == new.project
                    && row.execution.request.as_ref().is_some_and(|(_, known)| known == print);
                return if is_same {
                    Verdict::Repeat(Box::new(row.clone()))
                } else {
                    Verdict::Refused(Error::RequestIdReused)
                };
            }
        }
        let Some(name) = &new.name else { return Verdict::New };
        if self.names.contains(&(new.project.clone(), name.clone())) {
            return Verdict::Later;
        }
        let is_taken = self
            .found
            .iter()
            .any(|row| row.execution.project == new.project && row.execution.name.as_ref() == Some(name));
        if is_taken {
            let name = name::of_execution(&new.project, name);
            return Verdict::Refused(Error::ExecutionExists(name));
        }
        Verdict::New
    }

    pub(super) fn remember(&mut self, new: &NewExecution) {
        self.requests.extend(new.request.as_ref().map(|(request, _)| request.clone()));
        self.names.extend(new.name.clone().map(|name| (new.project.clone(), name)));
    }
}
