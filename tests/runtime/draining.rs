//! An orderly end: what runs may finish, readers are sent elsewhere, nothing new comes in.

use std::time::Duration;

use tonic::Code;
use tonic_types::StatusExt;
use weft_tests::{
    echo::v1::{CountRequest, MisbehaveRequest},
    runtime::{Runtime, Settings},
};

#[tokio::test]
async fn a_running_call_finishes_and_a_reader_is_told_to_reconnect() {
    let runtime = Runtime::start(Settings::default()).await;
    let mut client = runtime.client();
    let endless = CountRequest { to: u32::MAX, pause_ms: 1, panic_at: 0 };
    let mut numbers = client.count(endless).await.expect("it begins").into_inner();
    numbers.message().await.expect("it runs");
    let mut slow_client = client.clone();
    let slow =
        async move { slow_client.misbehave(MisbehaveRequest { wait_ms: 300, ..Default::default() }).await };
    let metrics = runtime.metrics.clone();
    let end = async {
        // The call has begun once it is counted.
        while !metrics.encode().contains(
            r#"grpc_server_started_total{grpc_service="weft.test.v1.EchoService",grpc_method="Misbehave"} 1"#,
        ) {
            tokio::task::yield_now().await;
        }
        runtime.lifecycle.shut_down(Duration::from_secs(10)).await;
    };
    let read = async {
        loop {
            match numbers.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it never ends by itself"),
                Err(status) => break status,
            }
        }
    };
    let (slow, reader, ()) = tokio::join!(slow, read, end);
    slow.expect("what ran has finished");
    assert_eq!(reader.code(), Code::Unavailable);
    assert_eq!(reader.get_error_details().error_info().expect("why").reason, "DRAINING");
    client.misbehave(MisbehaveRequest::default()).await.expect_err("nothing new");
}
