//! What agents that are connected here say of their work, on its way to the command service. It is handed on as it is.

use std::sync::Mutex;

use tokio::sync::mpsc;
use uuid::Uuid;
use weft_kit::Peer;
use weft_proto::weft::command::v1::{
    AttachWorkersRequest, WorkReport, WorkerAlive, WorkerAway, WorkerGone, WorkerSaid,
    attach_workers_request::Action, worker_said,
};

/// The way to the command service.
pub(crate) struct Work {
    pub(crate) peer: Peer,
    /// The line, where there is one.
    line: Mutex<Option<mpsc::Sender<AttachWorkersRequest>>>,
}

impl Work {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, line: Mutex::default() }
    }

    /// What is said goes over this line from now on.
    pub(crate) fn goes_over(&self, line: Option<mpsc::Sender<AttachWorkersRequest>>) {
        *self.line.lock().expect("nobody panics with it") = line;
    }

    /// Something that an agent says of its work. Where there is no line it is lost: the agent is asked to announce
    /// itself when there is one again, and says all that has not been answered.
    pub(crate) async fn report(&self, agent: Uuid, name: &str, report: WorkReport) {
        self.say(agent, name, worker_said::Event::Report(report)).await;
    }

    /// An agent lives.
    pub(crate) async fn alive(&self, agent: Uuid) {
        self.say(agent, "", worker_said::Event::Alive(WorkerAlive {})).await;
    }

    /// An agent's connection is no more: lost, or ended on purpose.
    pub(crate) async fn left(&self, agent: Uuid, on_purpose: bool) {
        let event = if on_purpose {
            worker_said::Event::Gone(WorkerGone {})
        } else {
            worker_said::Event::Away(WorkerAway {})
        };
        self.say(agent, "", event).await;
    }

    async fn say(&self, agent: Uuid, name: &str, event: worker_said::Event) {
        let line = self.line.lock().expect("nobody panics with it").clone();
        let Some(line) = line else { return };
        let said = WorkerSaid { worker: agent.to_string(), agent: name.to_owned(), event: Some(event) };
        // Where the line has just ended it is lost, as above.
        drop(line.send(AttachWorkersRequest { action: Some(Action::Said(said)) }).await);
    }
}
