//! Commands for agents that are connected here: a line to the command service, over which what agents say of their work
//! goes there, and what they are to do comes back. What it says is handed on as it is.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;
use weft_kit::{Lifecycle, Peer, TaskKind};
use weft_proto::weft::{
    agent::v1::attach_agent_response::Event as ToAgent,
    command::v1::{
        AttachWorkersRequest, WorkAnnounce, WorkOrder, WorkReport, WorkerAlive, WorkerAway, WorkerGone,
        WorkerSaid, WorkersOpen, attach_workers_request::Action, attach_workers_response::Event,
        work_order::Order, worker_said, worker_service_client::WorkerServiceClient,
    },
};

use crate::state::State;

/// Messages that wait for the command service to read them.
const SAID: usize = 1_024;
/// The first pause after a line that ended; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The line to the command service.
pub(crate) struct Work {
    peer: Peer,
    /// Where there is one.
    line: Mutex<Option<mpsc::Sender<AttachWorkersRequest>>>,
}

impl Work {
    pub(crate) fn new(peer: Peer) -> Self {
        Self { peer, line: Mutex::default() }
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

/// Keeps the line for as long as the process lives.
pub(crate) fn start(state: &Arc<State>, lifecycle: &Lifecycle) {
    let state = Arc::clone(state);
    lifecycle.spawn("agent-work", TaskKind::Background, move |life| {
        let state = Arc::clone(&state);
        async move {
            let mut pause = FIRST_PAUSE;
            loop {
                tokio::select! {
                    end = follow(&state, &mut pause) => {
                        *state.work.line.lock().expect("nobody panics with it") = None;
                        let code = end.err().map(|status| status.code());
                        tracing::debug!(?code, "the line to the command service has ended");
                    }
                    () = life.draining() => return Ok::<_, std::convert::Infallible>(()),
                }
                tokio::select! {
                    () = tokio::time::sleep(pause.mul_f64(0.5 + 0.5 * state.ids.fraction())) => {}
                    () = life.draining() => return Ok(()),
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    });
}

/// One line, from its beginning to its end.
async fn follow(state: &State, pause: &mut Duration) -> Result<(), Status> {
    let (line, said) = mpsc::channel(SAID);
    let open = Action::Open(WorkersOpen { process: state.process.clone() });
    // The channel is empty.
    let _ = line.try_send(AttachWorkersRequest { action: Some(open) });
    let mut client = WorkerServiceClient::new(state.work.peer.clone());
    let mut told = client.attach_workers(ReceiverStream::new(said)).await?.into_inner();
    while let Some(told) = told.message().await? {
        match told.event {
            Some(Event::Opened(_)) => {
                *pause = FIRST_PAUSE;
                *state.work.line.lock().expect("nobody panics with it") = Some(line.clone());
                for session in state.sessions.all() {
                    session.say(announce());
                }
            }
            Some(Event::Told(told)) => {
                let session = told.worker.parse().ok().and_then(|agent| state.sessions.get(agent));
                if let (Some(session), Some(order)) = (session, told.order) {
                    session.say(ToAgent::Work(order));
                }
            }
            None => {}
        }
    }
    Ok(())
}

fn announce() -> ToAgent {
    ToAgent::Work(WorkOrder { order: Some(Order::Announce(WorkAnnounce {})) })
}
