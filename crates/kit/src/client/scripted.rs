//! Servers for tests: real HTTP/2 on a real port, and each call is answered as a script says.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Response};
use tokio::net::TcpListener;
use tonic::{Code, Status};

use crate::Lifecycle;

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Does {
    pub(super) after: Duration,
    /// OK is an answer without a message: enough for whoever does not read it.
    pub(super) code: Code,
    /// `grpc-retry-pushback-ms`.
    pub(super) pushback: Option<&'static str>,
}

impl Does {
    /// Answers at once.
    pub(super) fn answer(code: Code) -> Self {
        Self { after: Duration::ZERO, code, pushback: None }
    }

    pub(super) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    pub(super) fn pushing_back(self, millis: &'static str) -> Self {
        Self { pushback: Some(millis), ..self }
    }

    /// Never answers.
    pub(super) fn hang() -> Self {
        Self::answer(Code::Ok).after(Duration::from_hours(1))
    }
}

/// A server that does as `script` says of the how many-th call it is, from 0.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<HeaderMap>>>,
    reset: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(
        lifecycle: &Lifecycle,
        script: impl Fn(usize) -> Does + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Self { address, heard: Arc::default(), reset: Arc::default() };
        let (heard, reset) = (Arc::clone(&server.heard), Arc::clone(&server.reset));
        let (life, script) = (lifecycle.clone(), Arc::new(script));
        lifecycle.spawn_future(async move {
            loop {
                let (socket, _) = listener.accept().await.expect("it listens");
                let (script, heard, reset) = (Arc::clone(&script), Arc::clone(&heard), Arc::clone(&reset));
                let calls = life.clone();
                life.spawn_future(async move {
                    let mut connection = h2::server::handshake(socket).await.expect("a client of HTTP/2");
                    while let Some(Ok((request, mut respond))) = connection.accept().await {
                        let does = {
                            let mut heard = heard.lock().expect("not poisoned");
                            heard.push(request.headers().clone());
                            script(heard.len() - 1)
                        };
                        let reset = Arc::clone(&reset);
                        calls.spawn_future(async move {
                            tokio::select! {
                                () = tokio::time::sleep(does.after) => {
                                    // A client that has what it wants does not wait for this.
                                    let _ = respond.send_response(answer(does), true);
                                }
                                _ = std::future::poll_fn(|context| respond.poll_reset(context)) => {
                                    reset.fetch_add(1, Ordering::SeqCst);
                                }
                            }
                        });
                    }
                });
            }
        });
        server
    }

    /// The headers of the calls that came.
    pub(super) fn heard(&self) -> Vec<HeaderMap> {
        self.heard.lock().expect("not poisoned").clone()
    }

    pub(super) fn calls(&self) -> usize {
        self.heard().len()
    }

    /// Calls that their client gave up.
    pub(super) fn reset(&self) -> usize {
        self.reset.load(Ordering::SeqCst)
    }
}

fn answer(does: Does) -> Response<()> {
    let mut answer: Response<()> = Status::new(does.code, "here").into_http();
    if let Some(pushback) = does.pushback {
        answer.headers_mut().insert("grpc-retry-pushback-ms", pushback.parse().expect("digits"));
    }
    answer
}
