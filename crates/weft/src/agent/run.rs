//! An agent's life: get a token, attach, beat, and again after every loss, with growing and varied pauses.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    sync::{Mutex, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_kit::{Clock, Ids};
use weft_proto::weft::agent::v1::{
    AgentOpen, AttachAgentRequest, AttachAgentResponse, Goodbye, Heartbeat, ProbeAnswer,
    attach_agent_request::Action, attach_agent_response::Event,
};

use super::{
    Home, Settings, facts,
    host::Host,
    knowledge::Knowledge,
    report::Line,
    services::Services,
    tokens::Tokens,
    way::{self, PATIENCE, Way, gone, within},
    work::Work,
};

type Attached = way::Attached<AttachAgentRequest, AttachAgentResponse>;

/// The first pause after a loss is up to this; each next one up to twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// What is said of work and waits for the connection.
const SAID: usize = 8;
/// Capabilities that an agent tells of at most.
const CAPABILITIES: usize = 64;
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs the agent until `stop`, and then says goodbye.
///
/// # Errors
/// It is not in the fleet any more, or its folder cannot be read.
pub(crate) async fn run(home: &Home, stop: CancellationToken) -> Result<()> {
    let settings = home.settings()?;
    let way = Way::to(&settings.url, settings.ca_file.as_deref())?;
    run_by(home, way, false, stop).await
}

/// The same, to a mesh that is reached in this way; `is_own_host` where that mesh runs in this very process.
pub(super) async fn run_by(home: &Home, way: Way, is_own_host: bool, stop: CancellationToken) -> Result<()> {
    let settings = home.settings()?;
    let commands = settings.commands.clone();
    let tokens = Arc::new(Mutex::new(Tokens::new(&settings.name, home.key()?, way.clone())));
    let reporting = reporting(home, &settings, way.clone(), &tokens, stop.clone());
    // It ends what an earlier life has left running, services too: they begin after it.
    let work = Work::start(home, commands)?;
    let services = Services::open(&home.0, &settings.services, &settings.host.service_programs)?;
    let knowledge = Knowledge::open(&settings.name, &settings.knowledge)?;
    let agent = Program {
        host: Host::new(&settings.host, is_own_host, services.clone(), knowledge),
        services,
        settings,
        way,
        ids: Ids::system(),
        tokens,
        session: Session::default(),
        work,
    };
    // Both end when told to; what reports has no failure that ends the agent.
    let (ended, ()) = tokio::join!(live(agent, stop), reporting);
    ended
}

/// What reports, where this agent does, as often as its settings say.
fn reporting(
    home: &Home,
    settings: &Settings,
    way: Way,
    tokens: &Arc<Mutex<Tokens>>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let is_on = !settings.telemetry.interval.is_zero();
    let tokens = Arc::clone(tokens);
    let line = is_on.then(|| Line::new(&settings.name, way, tokens, &settings.telemetry, home.0.clone()));
    async move {
        if let Some(line) = line {
            line.run(stop).await;
        }
    }
}

async fn live(mut agent: Program, stop: CancellationToken) -> Result<()> {
    let mut losses = 0;
    loop {
        let began = Instant::now();
        match agent.connected(&stop).await {
            Ok(()) => {
                agent.end().await;
                return Ok(());
            }
            Err(status) if is_final(&status) => {
                agent.end().await;
                stop.cancel();
                return Err(status).context("this host is not in the fleet any more; enroll it again");
            }
            Err(status) => {
                tracing::info!(code = ?status.code(), message = status.message(), "not connected");
                if status.code() == Code::Unauthenticated {
                    agent.tokens.lock().await.forget();
                }
            }
        }
        // A connection that held begins the row of pauses anew.
        losses = if began.elapsed() >= LONGEST_PAUSE { 0 } else { losses + 1 };
        let pause = pause(losses).mul_f64(agent.ids.fraction());
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {
                agent.end().await;
                return Ok(());
            }
        }
    }
}

/// The longest that the pause after so many losses in a row may be.
fn pause(losses: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(losses.min(16))).min(LONGEST_PAUSE)
}

/// Whether trying again cannot help: the key proves nothing any more.
fn is_final(status: &Status) -> bool {
    let details = status.get_error_details();
    let reason = details.error_info().map_or("", |info| &*info.reason);
    matches!(reason, "PROOF_INVALID" | "AGENT_NOT_FOUND")
}

struct Program {
    settings: Settings,
    way: Way,
    ids: Ids,
    tokens: Arc<Mutex<Tokens>>,
    session: Session,
    /// What it was handed, over lost connections.
    work: Work,
    /// What it is asked about its host.
    host: Host,
    /// What it keeps running there.
    services: Services,
}

/// What the program remembers over lost connections.
#[derive(Default)]
struct Session {
    /// Its secret; empty before the first.
    secret: String,
    /// The highest number of the server's that has arrived.
    received: i64,
}

impl Program {
    /// One connection, from its credential to its end. `Ok` once the agent has said goodbye.
    async fn connected(&mut self, stop: &CancellationToken) -> Result<(), Status> {
        let (attached, beat) = tokio::select! {
            attached = self.attach() => attached?,
            () = stop.cancelled() => return Ok(()),
        };
        tracing::info!(agent = %self.settings.name, "connected");
        let (say, said) = mpsc::channel(SAID);
        self.host.connected(say.clone());
        self.work.connected(say);
        self.follow(attached, said, beat, stop).await
    }

    async fn attach(&mut self) -> Result<(Attached, Duration), Status> {
        let token = self.tokens.lock().await.get().await?;
        let open = AgentOpen {
            name: self.settings.name.clone(),
            session: self.session.secret.clone(),
            facts: Some(facts::read(self.capabilities())),
        };
        let mut attached = self.way.attach(&token, self.frame(Action::Open(open))).await?;
        let first = within(attached.hear()).await?;
        let Some(Event::Opened(opened)) = first.and_then(|first| first.event) else {
            return Err(Status::internal("the mesh did not open the session"));
        };
        if !opened.resumed {
            self.session.received = 0;
        }
        self.session.secret = opened.session;
        let beat = opened.heartbeat_interval.and_then(|beat| Duration::try_from(beat).ok());
        Ok((attached, beat.unwrap_or(PATIENCE).max(Duration::from_millis(10))))
    }

    async fn follow(
        &mut self,
        mut attached: Attached,
        mut said: mpsc::Receiver<AttachAgentRequest>,
        beat: Duration,
        stop: &CancellationToken,
    ) -> Result<(), Status> {
        let mut beats = interval(beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut sent, mut round_trip) = (None, None);
        loop {
            let action = tokio::select! {
                // Answers to heartbeats alone come as often as they are sent.
                frame = timeout(beat * 3, attached.hear()) => {
                    let frame = frame.map_err(|_| gone())??.ok_or_else(gone)?;
                    if frame.sequence > 0 {
                        self.session.received = frame.sequence;
                    }
                    match frame.event {
                        Some(Event::HeartbeatAnswer(_)) => {
                            round_trip = sent.take().map(|sent: Instant| sent.elapsed());
                            continue;
                        }
                        Some(Event::Probe(_)) => Action::ProbeAnswer(ProbeAnswer {}),
                        Some(Event::Settings(settings)) => {
                            tracing::info!(?settings, "what is set for this agent");
                            continue;
                        }
                        Some(Event::Work(order)) => {
                            self.work.order(order);
                            continue;
                        }
                        Some(Event::HostQuestion(question)) => {
                            self.host.ask(question);
                            continue;
                        }
                        Some(Event::Opened(_)) | None => continue,
                    }
                }
                // The desk keeps its end for as long as it lives.
                Some(frame) = said.recv() => {
                    attached.say(frame).await?;
                    continue;
                }
                _ = beats.tick() => {
                    sent = Some(Instant::now());
                    Action::Heartbeat(Heartbeat {
                        send_time: Some(Clock::system().now().into()),
                        round_trip_duration: round_trip.and_then(|time| prost_types::Duration::try_from(time).ok()),
                        problems: Vec::new(),
                    })
                }
                () = stop.cancelled() => {
                    self.end().await;
                    attached.say(self.frame(Action::Goodbye(Goodbye {}))).await?;
                    attached.hush();
                    // Until the mesh has read it.
                    while let Ok(Ok(Some(_))) = timeout(Duration::from_secs(2), attached.hear()).await {}
                    return Ok(());
                }
            };
            attached.say(self.frame(action)).await?;
        }
    }

    /// Nothing that it has begun is left running.
    async fn end(&self) {
        tokio::join!(self.work.stop(), self.services.stop());
    }

    /// What it can do: what can be asked of its host is always told, scripts as far as there is room.
    fn capabilities(&self) -> Vec<String> {
        let mut all = self.host.capabilities();
        all.extend(self.work.capabilities());
        all.truncate(CAPABILITIES);
        all
    }

    fn frame(&self, action: Action) -> AttachAgentRequest {
        AttachAgentRequest { sequence: 0, acknowledged_sequence: self.session.received, action: Some(action) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_have_an_end() {
        let seconds: Vec<_> = [0, 1, 2, 6, 7, 4_000].map(|losses| pause(losses).as_secs_f64()).into();
        assert_eq!(seconds, [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]);
    }
}
