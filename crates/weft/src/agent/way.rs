//! The way to the mesh: gRPC, or the agents' door where the address says so.

use std::{path::Path, time::Duration};

use anyhow::Result;
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use weft_kit::config::Secret;
use weft_proto::weft::{
    agent::v1::{
        Agent, AgentChallenge, AttachAgentRequest, AttachAgentResponse, EnrollAgentRequest,
        GetAgentChallengeRequest, IssueAgentTokenRequest,
    },
    identity::v1::AccessToken,
};

use super::door::{Door, Socket};
use crate::client::Connection;

/// How long the mesh may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A way to a mesh.
pub(super) enum Way {
    /// `http:` and `https:`: gRPC over HTTP/2.
    Grpc(Connection),
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
        Connection::to_url(url, None, ca_file).map(Self::Grpc)
    }

    pub(super) async fn enroll(&self, request: EnrollAgentRequest) -> Result<Agent, Status> {
        match self {
            Self::Grpc(connection) => whole(connection.agents().enroll_agent(request)).await,
            Self::Door(door) => door.call("EnrollAgent", &request, PATIENCE).await,
        }
    }

    pub(super) async fn challenge(
        &self,
        request: GetAgentChallengeRequest,
    ) -> Result<AgentChallenge, Status> {
        match self {
            Self::Grpc(connection) => whole(connection.agents().get_agent_challenge(request)).await,
            Self::Door(door) => door.call("GetAgentChallenge", &request, PATIENCE).await,
        }
    }

    pub(super) async fn token(&self, request: IssueAgentTokenRequest) -> Result<AccessToken, Status> {
        match self {
            Self::Grpc(connection) => whole(connection.agents().issue_agent_token(request)).await,
            Self::Door(door) => door.call("IssueAgentToken", &request, PATIENCE).await,
        }
    }

    /// Begins the stream.
    pub(super) async fn attach(&self, token: &Secret, open: AttachAgentRequest) -> Result<Attached, Status> {
        match self {
            Self::Grpc(connection) => {
                let (say, said) = mpsc::channel(8);
                // The channel is empty.
                let _ = say.try_send(open);
                let mut request = Request::new(ReceiverStream::new(said));
                let value = format!("Bearer {}", token.reveal()).parse();
                let value = value.map_err(|_| Status::internal("the mesh gave a token that is none"))?;
                request.metadata_mut().insert("authorization", value);
                let heard = Box::new(whole(connection.agents().attach_agent(request)).await?);
                Ok(Attached::Grpc { say: Some(say), heard })
            }
            Self::Door(door) => {
                let mut socket = within(door.enter(token)).await?;
                within(socket.say(&open)).await?;
                Ok(Attached::Door(Box::new(socket)))
            }
        }
    }
}

/// A stream to the mesh.
pub(super) enum Attached {
    /// A call of gRPC; its request is over when there is nobody who could say more.
    Grpc { say: Option<mpsc::Sender<AttachAgentRequest>>, heard: Box<Streaming<AttachAgentResponse>> },
    /// A socket.
    Door(Box<Socket>),
}

impl Attached {
    pub(super) async fn say(&mut self, frame: AttachAgentRequest) -> Result<(), Status> {
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
    pub(super) async fn hear(&mut self) -> Result<Option<AttachAgentResponse>, Status> {
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
