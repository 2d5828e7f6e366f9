//! AttachCollector: a collector's WebSocket, from its first message to its end.

use std::sync::Arc;

use futures::StreamExt;
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;
use weft_kit::{Call, Messages};
use weft_proto::weft::agent::v1::{
    AttachAgentResponse, AttachCollectorRequest, AttachCollectorResponse, CollectorOpen, CollectorTransport,
    Probe, attach_agent_response, attach_collector_request::Action, attach_collector_response::Event,
};

use crate::{
    Error,
    opamp::{
        conversation::{self, refusal, renamed, to},
        frame,
        guest::{self, Guest},
        talk::Wanted,
        wire::{AgentToServer, ErrorType, REQUEST_INSTANCE_UID, ServerToAgent},
    },
    sessions::{OUTGOING, Session},
    state::State,
    task,
};

/// Messages that are refused one after the other before a connection that says too much is ended.
const REFUSED: u32 = 32;
/// How long a connection may be nobody's.
const NOBODY: Duration = Duration::from_secs(60);

pub(crate) async fn handle(
    state: &Arc<State>,
    call: Call<Messages<AttachCollectorRequest>>,
) -> Result<ReceiverStream<Result<AttachCollectorResponse, Status>>, Error> {
    let mut messages = call.message;
    let Some(first) = messages.next().await else {
        return Err(Error::OutOfTurn("the stream ended before its first message"));
    };
    let Some(Action::Open(CollectorOpen { token, address })) = first?.action else {
        return Err(Error::OutOfTurn("the first message must be open"));
    };
    if state.lifecycle.is_draining() {
        return Err(Error::Draining);
    }
    let guest = guest::admit(state, &token, address, CollectorTransport::Websocket).await?;
    let (outgoing, answers) = mpsc::channel(OUTGOING);
    let line = Line {
        state: Arc::clone(state),
        guest,
        outgoing,
        refused: 0,
        given: None,
        place: None,
        nobody_since: Instant::now(),
    };
    state.lifecycle.spawn_future(line.follow(messages));
    Ok(ReceiverStream::new(answers))
}

/// One connection.
struct Line {
    state: Arc<State>,
    guest: Guest,
    outgoing: mpsc::Sender<Result<AttachCollectorResponse, Status>>,
    /// Messages that were refused since one was taken.
    refused: u32,
    /// The name that it was given last on this connection, after what it called itself: messages that were on their way
    /// have the old one.
    given: Option<(Uuid, Uuid)>,
    /// None before the collector has said who it is.
    place: Option<Place>,
    /// Since when it has no place, while it has none.
    nobody_since: Instant,
}

/// Who is connected.
struct Place {
    instance: Uuid,
    session: Arc<Session>,
    connection: u64,
    told: mpsc::Receiver<Result<AttachAgentResponse, Status>>,
    wanted: watch::Receiver<Wanted>,
}

/// Why a connection ends.
enum End {
    Because(&'static str),
    Told(Error),
    /// The status was made elsewhere.
    With(Status),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

/// What happens next on a connection.
enum Next {
    Said(Option<Result<AttachCollectorRequest, Status>>),
    Told(Option<Result<Box<AttachAgentResponse>, Status>>),
    Wanted,
    Gone,
    Silent,
    Draining,
}

impl Line {
    async fn follow(mut self, mut messages: Messages<AttachCollectorRequest>) {
        let end = loop {
            let next = self.next(&mut messages).await;
            if let Err(end) = self.react(next).await {
                break end;
            }
        };
        let (reason, status) = match end {
            End::Because(reason) => (reason, None),
            End::Told(error @ Error::NoHeartbeat) => ("NO_HEARTBEAT", Some(error.into())),
            End::Told(error) => ("CONNECTION_LOST", Some(error.into())),
            End::With(status) => ("CONNECTION_LOST", Some(status)),
        };
        if let Some(status) = status {
            // Where the collector is gone nobody reads it.
            let _ = self.outgoing.try_send(Err(status));
        }
        self.leave(reason).await;
    }

    async fn next(&mut self, messages: &mut Messages<AttachCollectorRequest>) -> Next {
        let patience = match &self.place {
            Some(_) => guest::patience(&self.state),
            None => NOBODY.saturating_sub(self.nobody_since.elapsed()),
        };
        let place = &mut self.place;
        let of_place = async {
            match place {
                Some(Place { told, wanted, .. }) => tokio::select! {
                    told = told.recv() => Next::Told(told.map(|told| told.map(Box::new))),
                    changed = wanted.changed() => match changed {
                        Ok(()) => Next::Wanted,
                        Err(_) => std::future::pending().await,
                    },
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            said = tokio::time::timeout(patience, messages.next()) => said.map_or(Next::Silent, Next::Said),
            next = of_place => next,
            () = self.outgoing.closed() => Next::Gone,
            () = self.state.lifecycle.draining() => Next::Draining,
        }
    }

    async fn react(&mut self, next: Next) -> Result<(), End> {
        match next {
            Next::Said(None) | Next::Gone => Err(End::Because("CONNECTION_LOST")),
            Next::Said(Some(Err(_))) if self.outgoing.is_closed() => Err(End::Because("CONNECTION_LOST")),
            Next::Said(Some(Err(status))) | Next::Told(Some(Err(status))) => Err(End::With(status)),
            Next::Said(Some(Ok(said))) => match said.action {
                None => Ok(()),
                Some(Action::Open(_)) => Err(Error::OutOfTurn("open may only be the first message").into()),
                Some(Action::ProbeAnswer(_)) => self.hear(),
                Some(Action::Frame(bytes)) => self.read(&bytes).await,
            },
            Next::Told(Some(Ok(told))) => match told.event {
                Some(attach_agent_response::Event::Probe(_)) => self.send(Event::Probe(Probe {})),
                // What agents of our own are told is nothing to a collector.
                _ => Ok(()),
            },
            Next::Told(None) => Err(Error::Replaced.into()),
            Next::Wanted => self.tell().await,
            Next::Silent => Err(Error::NoHeartbeat.into()),
            Next::Draining => Err(Error::Draining.into()),
        }
    }

    /// Notes that the program is there.
    fn hear(&self) -> Result<(), End> {
        let Some(place) = &self.place else { return Ok(()) };
        if place.session.hear(place.connection, 0, self.state.now()) {
            Ok(())
        } else {
            Err(Error::Replaced.into())
        }
    }

    async fn read(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.hear()?;
        let said = match frame::read(bytes) {
            Ok(said) => said,
            Err(why) => return self.refuse(&[], &why),
        };
        let instance = match conversation::instance(&said) {
            Ok(instance) => instance,
            Err(why) => return self.refuse(&said.instance_uid, &why),
        };
        let (name, new_name) = self.name(&said, instance);
        if guest::charge(&self.state, &self.guest, Some(name)).is_err() {
            return self.too_many();
        }
        self.refused = 0;
        match self.answer(&said, name, new_name).await {
            Ok(()) => Ok(()),
            Err(End::Told(error)) => {
                self.say(&told(&said.instance_uid, &error))?;
                Err(End::Told(error))
            }
            Err(end) => Err(end),
        }
    }

    /// Tells that a message is wrong.
    fn refuse(&mut self, instance: &[u8], why: &str) -> Result<(), End> {
        if guest::charge(&self.state, &self.guest, None).is_err() {
            return self.too_many();
        }
        self.refused = 0;
        self.say(&refusal(instance, ErrorType::BadRequest, why))
    }

    /// Tells that too much is said, until it does not help.
    fn too_many(&mut self) -> Result<(), End> {
        self.refused += 1;
        self.say(&refusal(&[], ErrorType::Unavailable, &Error::TooManyMessages.to_string()))?;
        if self.refused < REFUSED { Ok(()) } else { Err(Error::TooManyMessages.into()) }
    }

    /// The name of who calls itself an instance: that which it was given, where it does not know or use that yet. With
    /// what it is to be told of it.
    fn name(&mut self, said: &AgentToServer, instance: Uuid) -> (Uuid, Option<Uuid>) {
        if let Some((_, name)) = self.given.filter(|(before, _)| *before == instance) {
            return (name, Some(name));
        }
        if said.flags & REQUEST_INSTANCE_UID == 0 {
            return (instance, None);
        }
        let name = conversation::new_instance(&self.state);
        self.given = Some((instance, name));
        (name, Some(name))
    }

    async fn answer(
        &mut self,
        said: &AgentToServer,
        instance: Uuid,
        new_name: Option<Uuid>,
    ) -> Result<(), End> {
        let is_known = self.place.as_ref().is_some_and(|place| place.instance == instance);
        if !is_known {
            if let Some(name) = new_name
                && said.agent_description.is_none()
            {
                // Nobody would know what joins: it says that by its new name.
                return self.say(&conversation::taken(said, name));
            }
            // It calls itself something else from now on: what it was has ended.
            self.leave("STOPPED").await;
            if !self.enter(said, instance).await? {
                return Ok(());
            }
        }
        let Some(place) = &self.place else { return Ok(()) };
        let reply = conversation::take(&self.state, &place.session, self.guest.transport(), said).await?;
        if reply.leaves {
            self.say(&reply.answer)?;
            return Err(End::Because("STOPPED"));
        }
        let remote_config = conversation::offer(&self.state, &place.session).await?;
        let answer = ServerToAgent { remote_config, ..reply.answer };
        self.say(&new_name.map_or(answer.clone(), |name| renamed(answer, name)))?;
        self.tell_restart().await
    }

    /// Takes the place of an instance. Not where another program has it: this one is to call itself something else.
    async fn enter(&mut self, said: &AgentToServer, instance: Uuid) -> Result<bool, End> {
        let (told, heard) = mpsc::channel(OUTGOING);
        match guest::enter(&self.state, &self.guest, said, instance, Some(told)).await {
            Ok((session, connection)) => {
                let wanted = session.talk.as_ref().map(|talk| {
                    talk.forget_sent();
                    talk.wanted()
                });
                let wanted = wanted.unwrap_or_else(|| watch::channel(Wanted::default()).1);
                self.place = Some(Place { instance, session, connection, told: heard, wanted });
                Ok(true)
            }
            Err(Error::KeyUsedTwice) => {
                let name = conversation::new_instance(&self.state);
                tracing::warn!(%instance, new = %name, "two collectors call themselves the same");
                if let Ok(before) = conversation::instance(said) {
                    self.given = Some((before, name));
                }
                self.say(&conversation::taken(said, name))?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What has come to be wanted of the collector since it has spoken.
    async fn tell(&mut self) -> Result<(), End> {
        let Some(place) = &self.place else { return Ok(()) };
        if let Some(config) = conversation::offer(&self.state, &place.session).await? {
            self.say(&ServerToAgent { remote_config: Some(config), ..to(place.instance.as_bytes()) })?;
        }
        self.tell_restart().await
    }

    async fn tell_restart(&mut self) -> Result<(), End> {
        let Some(place) = &self.place else { return Ok(()) };
        let restart = conversation::restart(&self.state, &place.session, place.instance.as_bytes()).await?;
        restart.map_or(Ok(()), |restart| self.say(&restart))
    }

    fn say(&self, message: &ServerToAgent) -> Result<(), End> {
        self.send(Event::Frame(frame::write(message).into()))
    }

    /// Nobody who reads too slowly holds others up.
    fn send(&self, event: Event) -> Result<(), End> {
        let sent = self.outgoing.try_send(Ok(AttachCollectorResponse { event: Some(event) }));
        sent.map_err(|_| Error::TooSlow.into())
    }

    /// Gives the collector's place up.
    async fn leave(&mut self, reason: &'static str) {
        let Some(Place { session, connection, .. }) = self.place.take() else { return };
        self.nobody_since = Instant::now();
        if !session.disconnect(connection, reason) || reason != "STOPPED" {
            return;
        }
        let ended = task::end(&self.state, &session.name, session.agent, &session.digest, reason).await;
        self.state.sessions.remove(&session);
        if let Err(error) = ended {
            tracing::warn!(%error, agent = %session.name, "a collector's goodbye was not noted");
        }
    }
}

/// What a collector is told before its connection ends.
fn told(instance: &[u8], error: &Error) -> ServerToAgent {
    let is_for_good = matches!(error, Error::TokenInvalid | Error::TokenUsedUp);
    let kind = if is_for_good { ErrorType::BadRequest } else { ErrorType::Unavailable };
    // What went wrong within is for the log.
    let why = if matches!(error, Error::Store(_)) { "try again later".to_owned() } else { error.to_string() };
    refusal(instance, kind, &why)
}
