//! The line to the command service: it is opened again whenever it has ended, and what comes over it goes to the agents
//! that are connected here.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weft_kit::{Lifecycle, TaskKind};
use weft_proto::weft::{
    agent::v1::attach_agent_response::Event as ToAgent,
    command::v1::{
        AttachWorkersRequest, WorkAnnounce, WorkOrder, WorkersOpen, attach_workers_request::Action,
        attach_workers_response::Event, work_order::Order, worker_service_client::WorkerServiceClient,
    },
};

use crate::state::State;

/// Messages that wait for the command service to read them.
const SAID: usize = 1_024;
/// The first pause after a line that ended; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
                        state.work.goes_over(None);
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
                state.work.goes_over(Some(line.clone()));
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
