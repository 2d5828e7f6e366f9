//! A peer far away: several connections, and retries over a restart.

use std::time::Duration;

use tonic::Code;
use weft_kit::{
    Ids, Lifecycle,
    client::remote,
    config::{ClientOptions, Rates},
};
use weft_tests::{
    echo::{
        methods,
        v1::{EchoRequest, MisbehaveRequest, echo_service_client::EchoServiceClient},
    },
    runtime::{API_KEY, Runtime, Settings, signed},
};

fn echo() -> EchoRequest {
    EchoRequest { parent: "projects/p".into(), payload: "hello".into() }
}

#[tokio::test]
async fn calls_find_their_way_and_a_dead_peer_is_unavailable() {
    let runtime = Runtime::start(Settings::default()).await;
    let (lifecycle, options) = (Lifecycle::new(), ClientOptions::default());
    let address = format!("http://{}", runtime.address);
    let peer = remote(&address, methods(), &options, Ids::system(), &lifecycle).expect("an address");
    let mut client = EchoServiceClient::new(peer);
    let calls = (0..50).map(|_| {
        let mut client = client.clone();
        async move { client.echo(signed(echo(), API_KEY)).await }
    });
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.expect("it is there").into_inner().payload, "hello");
    }
    runtime.stop().await;
    let status = client.echo(signed(echo(), API_KEY)).await.expect_err("nobody is there");
    assert_eq!(status.code(), Code::Unavailable);
    lifecycle.drain();
}

/// Callers at once.
const CALLERS: usize = 8;

fn without_rates() -> Settings {
    let mut settings = Settings::default();
    settings.limits.rate.read = Rates { per_second: u32::MAX, burst: u32::MAX };
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_grows_old_costs_no_call() {
    let mut settings = without_rates();
    settings.connections.max_age = Duration::from_millis(200);
    let runtime = Runtime::start(settings).await;
    let client = runtime.remote_client();
    let callers = (0..CALLERS).map(|_| {
        let mut client = client.clone();
        async move {
            for _ in 0..500 {
                // It may not be repeated, as far as its contract says.
                client.misbehave(MisbehaveRequest::default()).await.expect("another connection is there");
            }
        }
    });
    futures::future::join_all(callers).await;
    runtime.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_peer_never_looks_like_a_fault() {
    for _ in 0..10 {
        let runtime = Runtime::start(without_rates()).await;
        let client = runtime.remote_client();
        let (say, mut answered) = tokio::sync::mpsc::channel(CALLERS);
        let callers = (0..CALLERS).map(|_| {
            let (mut client, say) = (client.clone(), say.clone());
            async move {
                loop {
                    match client.misbehave(MisbehaveRequest::default()).await {
                        // Nobody listens any more once the end has begun.
                        Ok(_) => drop(say.try_send(())),
                        Err(status) => return status.code(),
                    }
                }
            }
        });
        let end = async {
            for _ in 0..2 * CALLERS {
                answered.recv().await.expect("calls are answered");
            }
            // In the middle of calls.
            runtime.lifecycle.shut_down(Duration::from_secs(10)).await;
        };
        let (codes, ()) = tokio::join!(futures::future::join_all(callers), end);
        assert_eq!(codes, [Code::Unavailable; CALLERS]);
    }
}

#[test]
fn an_address_must_name_a_host() {
    let lifecycle = Lifecycle::new();
    for bad in ["", "not an address", "/path"] {
        assert!(
            remote(bad, methods(), &ClientOptions::default(), Ids::system(), &lifecycle).is_err(),
            "{bad}"
        );
    }
}
