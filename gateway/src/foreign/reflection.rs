//! Asking a server for its contracts: gRPC reflection, v1 and where there is none v1alpha.

use std::{collections::BTreeSet, time::Duration};

use futures::StreamExt;
use http::{Request, Uri};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, body::Body};
use tower::ServiceExt;
use weft_kit::Peer;
use weft_proto::grpc::reflection::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::contracts::{self, Files, MOST_BYTES, Mistake, OF_EVERY_SERVER};

/// How long all questions together may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most services that are asked about, and most rounds of asking for files that others import.
const MOST_SERVICES: usize = 1_000;
const MOST_ROUNDS: usize = 100;

/// Why a server's contracts are not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReflectionError {
    /// It did not answer, or refused.
    #[error("it cannot be asked by reflection: {}", .0.message())]
    Refused(#[from] Status),
    /// It answers, but not to the question.
    #[error("it does not keep to the protocol of reflection")]
    Nonsense,
    /// What it says cannot be used.
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

/// The files with the services of `peer`; only those of `wanted`, if it names any.
pub(super) async fn ask(peer: &Peer, wanted: &[String]) -> Result<Files, ReflectionError> {
    let asked = async {
        match converse(peer.clone(), wanted).await {
            Err(ReflectionError::Refused(status)) if status.code() == Code::Unimplemented => {
                converse(of_v1alpha(peer.clone()), wanted).await
            }
            answered => answered,
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("it does not answer in time").into()))
}

/// The two versions have the same messages under two names.
fn of_v1alpha(peer: Peer) -> Peer {
    Peer::new(peer.map_request(|mut request: Request<Body>| {
        let path = request.uri().path().replace("reflection.v1.", "reflection.v1alpha.");
        *request.uri_mut() = Uri::try_from(path).expect("it was a path before");
        request
    }))
}

async fn converse(peer: Peer, wanted: &[String]) -> Result<Files, ReflectionError> {
    let mut conversation = Conversation::begin(peer).await?;
    let services: BTreeSet<String> = if wanted.is_empty() {
        match conversation.ask(MessageRequest::ListServices(String::new())).await? {
            MessageResponse::ListServicesResponse(list) => {
                list.service.into_iter().map(|service| service.name).collect()
            }
            _ => return Err(ReflectionError::Nonsense),
        }
    } else {
        wanted.iter().cloned().collect()
    };
    if services.len() > MOST_SERVICES {
        return Err(Mistake::TooManyMethods(services.len()).into());
    }
    let mut files = Files::new();
    for service in services.into_iter().filter(|name| !OF_EVERY_SERVER.contains(&name.as_str())) {
        let answer = conversation.ask(MessageRequest::FileContainingSymbol(service)).await?;
        take(&mut files, answer)?;
    }
    // Some servers send a file with all that it imports, some send it alone.
    for _ in 0..MOST_ROUNDS {
        let missing = contracts::missing(&files)?;
        if missing.is_empty() {
            break;
        }
        for name in missing {
            let answer = conversation.ask(MessageRequest::FileByFilename(name)).await?;
            take(&mut files, answer)?;
        }
    }
    Ok(files)
}

fn take(files: &mut Files, answer: MessageResponse) -> Result<(), ReflectionError> {
    let MessageResponse::FileDescriptorResponse(response) = answer else {
        return Err(ReflectionError::Nonsense);
    };
    for file in response.file_descriptor_proto {
        contracts::add(files, file)?;
    }
    Ok(())
}

/// One stream of questions and answers.
struct Conversation {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    async fn begin(peer: Peer) -> Result<Self, Status> {
        let (questions, asked) = mpsc::channel(1);
        let mut client = ServerReflectionClient::new(peer).max_decoding_message_size(MOST_BYTES);
        // Some servers say nothing, not even that they are there, before they are asked something: the first
        // question must not wait for their answer.
        let first = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let asked = futures::stream::iter([first]).chain(ReceiverStream::new(asked));
        let mut answers = client.server_reflection_info(asked).await?.into_inner();
        answers.message().await?.ok_or_else(|| Status::unavailable("it ended the conversation"))?;
        Ok(Self { questions, answers })
    }

    async fn ask(&mut self, question: MessageRequest) -> Result<MessageResponse, ReflectionError> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let gone = || Status::unavailable("it ended the conversation");
        self.questions.send(request).await.map_err(|_| gone())?;
        let answer = self.answers.message().await?.ok_or_else(gone)?;
        match answer.message_response.ok_or(ReflectionError::Nonsense)? {
            MessageResponse::ErrorResponse(error) => {
                Err(Status::new(Code::from_i32(error.error_code), error.error_message).into())
            }
            answer => Ok(answer),
        }
    }
}
