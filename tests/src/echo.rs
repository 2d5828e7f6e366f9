//! A service of every shape of call.

use std::{pin::Pin, sync::LazyLock, time::Duration};

use futures::{Stream, StreamExt, stream};
use prost_reflect::DescriptorPool;
use tonic::{Code, Request, Response, Status};
use weft_kit::Call;
use weft_proto::{Methods, Validate, Violations};

/// The contract's messages, client and server.
#[expect(missing_docs, clippy::pedantic, clippy::allow_attributes, reason = "generated")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/weft.test.v1.rs"));
}

use v1::{
    ChatRequest, ChatResponse, CollectResponse, CountRequest, CountResponse, EchoRequest, EchoResponse,
    MisbehaveRequest, MisbehaveResponse, echo_service_server::EchoService,
};

/// Full name of the service.
pub const SERVICE: &str = "weft.test.v1.EchoService";

/// The contract's descriptors.
pub fn pool() -> &'static DescriptorPool {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
        let bytes: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/test_descriptors.bin"));
        DescriptorPool::decode(bytes).expect("the build wrote a valid descriptor set")
    });
    &POOL
}

/// The contract's methods.
pub fn methods() -> &'static Methods {
    static METHODS: LazyLock<Methods> =
        LazyLock::new(|| Methods::from_pool(pool()).expect("the policies are right"));
    &METHODS
}

macro_rules! without_rules {
    ($($message:ty),*) => { $(impl Validate for $message { fn check(&self, _: &mut Violations) {} })* };
}
without_rules!(EchoRequest, MisbehaveRequest, CountRequest, ChatRequest);

/// The service. It tells whoever listens how each of its uploads ended.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    /// How an upload ended: with so many messages, or broken off.
    pub uploads: Option<tokio::sync::mpsc::UnboundedSender<Result<u32, Code>>>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl EchoService for Echo {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let call = Call::open(request)?;
        Ok(Response::new(EchoResponse {
            payload: call.message.payload,
            caller: call.caller.name.to_string(),
        }))
    }

    async fn misbehave(
        &self,
        request: Request<MisbehaveRequest>,
    ) -> Result<Response<MisbehaveResponse>, Status> {
        let request = Call::open(request)?.message;
        tokio::time::sleep(Duration::from_millis(request.wait_ms.into())).await;
        assert!(!request.panic, "a panic that was asked for");
        match Code::from(request.code) {
            Code::Ok => Ok(Response::new(MisbehaveResponse {})),
            code => Err(Status::new(code, "a failure that was asked for")),
        }
    }

    type CountStream = Answers<CountResponse>;

    async fn count(&self, request: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        let request = Call::open(request)?.message;
        let pause = Duration::from_millis(request.pause_ms.into());
        let numbers = stream::iter(1..=request.to).then(move |number| async move {
            tokio::time::sleep(pause).await;
            assert!(number != request.panic_at, "a panic that was asked for");
            Ok(CountResponse { number })
        });
        Ok(Response::new(numbers.boxed()))
    }

    async fn collect(
        &self,
        request: Request<tonic::Streaming<ChatRequest>>,
    ) -> Result<Response<CollectResponse>, Status> {
        // In a task of its own, because this one is dropped when its client goes away.
        let (mut messages, uploads) = (request.into_inner(), self.uploads.clone());
        let counted = async move {
            let mut count = 0;
            let ended = loop {
                match messages.message().await {
                    Ok(Some(_)) => count += 1,
                    Ok(None) => break Ok(count),
                    Err(status) => break Err(status.code()),
                }
            };
            if let Some(uploads) = uploads {
                // The test may not be interested any more.
                let _ = uploads.send(ended);
            }
            ended
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        weft_kit::Lifecycle::new().spawn_future(async move {
            // The call may be over.
            let _ = tell.send(counted.await);
        });
        let ended = told.await.map_err(|_| Status::internal("the task ended"))?;
        ended
            .map(|count| Response::new(CollectResponse { count }))
            .map_err(|code| Status::new(code, "it broke off"))
    }

    type ChatStream = Answers<ChatResponse>;

    async fn chat(
        &self,
        request: Request<tonic::Streaming<ChatRequest>>,
    ) -> Result<Response<Self::ChatStream>, Status> {
        let answers = request.into_inner().map(|message| Ok(ChatResponse { payload: message?.payload }));
        Ok(Response::new(answers.boxed()))
    }
}
