//! The way to the mesh: gRPC, or the agents' door where the address says so.

use std::{path::Path, time::Duration};

use anyhow::Result;
use prost_reflect::prost::Message;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, metadata::AsciiMetadataValue};
use weft_kit::{client::Peers, config::Secret};
use weft_proto::weft::{
    agent::v1::{
        Agent, AgentChallenge, AttachAgentRequest, AttachAgentResponse, EnrollAgentRequest,
        GetAgentChallengeRequest, IssueAgentTokenRequest,
    },
    identity::v1::AccessToken,
    telemetry::v1::{AttachReporterRequest, AttachReporterResponse},
};

use super::door::{Door, Socket};
use crate::client::Connection;

/// How long the mesh may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A way to a mesh.
#[derive(Clone)]
pub(super) enum Way {
    /// gRPC: to `http:` and `https:` over HTTP/2, both at one place; in the mesh's own process without a socket.
    Grpc { agents: Connection, telemetry: Connection },
    /// `ws:` and `wss:`: a WebSocket, and HTTP/1.1.
    Door(Door),
}

impl Way {
    /// To the mesh at `url`.
    ///
    /// # Errors
    /// It is no address.
    pub(super) fn to(url: &str, ca_file: Option<&Path>) -> Result<Self> {
        if url.starts_with("ws://") || url.starts_with("wss://") {
            return Door::at(url, ca_file).map(Self::Door);
        }
        let connection = Connection::to_url(url, None, ca_file)?;
        Ok(Self::Grpc { agents: connection.clone(), telemetry: connection })
    }

    /// To the mesh of this very process.
    pub(super) fn within_process(peers: &Peers) -> Self {
        let to = |name| Connection::to_stranger(peers.lazy(name));
        Self::Grpc { agents: to("agent"), telemetry: to("telemetry") }
    }

    pub(super) async fn enroll(&self, request: EnrollAgentRequest) -> Result<Agent, Status> {
        match self {
            Self::Grpc { agents, .. } => whole(agents.agents().enroll_agent(request)).await,
            Self::Door(door) => door.call("EnrollAgent", &request, PATIENCE).await,
        }
    }

    pub(super) async fn challenge(
        &self,
        request: GetAgentChallengeRequest,
    ) -> Result<AgentChallenge, Status> {
        match self {
            Self::Grpc { agents, .. } => whole(agents.agents().get_agent_challenge(request)).await,
            Self::Door(door) => door.call("GetAgentChallenge", &request, PATIENCE).await,
        }
    }

    pub(super) async fn token(&self, request: IssueAgentTokenRequest) -> Result<AccessToken, Status> {
        match self {
            Self::Grpc { agents, .. } => whole(agents.agents().issue_agent_token(request)).await,
            Self::Door(door) => door.call("IssueAgentToken", &request, PATIENCE).await,
        }
    }

    /// Begins the agent's stream.
    pub(super) async fn attach(
        &self,
        token: &Secret,
        open: AttachAgentRequest,
    ) -> Result<Attached<AttachAgentRequest, AttachAgentResponse>, Status> {
        match self {
            Self::Grpc { agents, .. } => {
                let (say, request) = opened(token, open)?;
                let heard = Box::new(whole(agents.agents().attach_agent(request)).await?);
                Ok(Attached::Grpc { say: Some(say), heard })
            }
            Self::Door(door) => {
                let mut socket = within(door.enter(token)).await?;
                within(socket.say(&open)).await?;
                Ok(Attached::Door(Box::new(socket)))
            }
        }
    }

    /// Begins the stream of reports.
    pub(super) async fn report(
        &self,
        token: &Secret,
        open: AttachReporterRequest,
    ) -> Result<Attached<AttachReporterRequest, AttachReporterResponse>, Status> {
        match self {
            Self::Grpc { telemetry, .. } => {
                let (say, request) = opened(token, open)?;
                let heard = Box::new(whole(telemetry.telemetry().attach_reporter(request)).await?);
                Ok(Attached::Grpc { say: Some(say), heard })
            }
            Self::Door(door) => {
                let mut socket = within(door.enter_reporter(token)).await?;
                within(socket.say(&open)).await?;
                Ok(Attached::Door(Box::new(socket)))
            }
        }
    }
}

/// A request whose messages are said one by one, the first of them now.
fn opened<A: Send + 'static>(
    token: &Secret,
    open: A,
) -> Result<(mpsc::Sender<A>, Request<ReceiverStream<A>>), Status> {
    let (say, said) = mpsc::channel(8);
    // The channel is empty.
    let _ = say.try_send(open);
    let mut request = Request::new(ReceiverStream::new(said));
    let value = format!("Bearer {}", token.reveal()).parse();
    let mut value: AsciiMetadataValue =
        value.map_err(|_| Status::internal("the mesh gave a token that is none"))?;
    value.set_sensitive(true);
    request.metadata_mut().insert("authorization", value);
    Ok((say, request))
}

/// A stream to the mesh: what is said is an `A`, what is heard a `B`.
pub(super) enum Attached<A, B> {
    /// A call of gRPC; its request is over when there is nobody who could say more.
    Grpc { say: Option<mpsc::Sender<A>>, heard: Box<Streaming<B>> },
    /// A socket.
    Door(Box<Socket>),
}

impl<A: Message, B: Message + Default> Attached<A, B> {
    pub(super) async fn say(&mut self, frame: A) -> Result<(), Status> {
        match self {
            Self::Grpc { say: Some(say), .. } => say.send(frame).await.map_err(|_| gone()),
            Self::Grpc { say: None, .. } => Err(gone()),
            Self::Door(socket) => within(socket.say(&frame)).await,
        }
    }

    /// There is no more to say.
    pub(super) fn hush(&mut self) {
        if let Self::Grpc { say, .. } = self {
            *say = None;
        }
    }

    /// The next frame; `None` after the last one. May be given up and called again without losing one.
    pub(super) async fn hear(&mut self) -> Result<Option<B>, Status> {
        match self {
            Self::Grpc { heard, .. } => heard.message().await,
            Self::Door(socket) => socket.hear().await,
        }
    }
}

/// The connection is lost.
pub(super) fn gone() -> Status {
    Status::unavailable("the connection broke off")
}

/// What comes in time.
pub(super) async fn within<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(Status::unavailable("the mesh does not answer")))
}

async fn whole<T>(answer: impl Future<Output = Result<tonic::Response<T>, Status>>) -> Result<T, Status> {
    within(answer).await.map(tonic::Response::into_inner)
}
