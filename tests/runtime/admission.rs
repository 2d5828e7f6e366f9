//! Who may call, how often, how much at once; and that a panic is an answer.

use tonic::Code;
use tonic_types::StatusExt;
use weft_kit::config::Rates;
use weft_tests::{
    echo::v1::{ChatRequest, CountRequest, EchoRequest, MisbehaveRequest},
    runtime::{API_KEY, Runtime, Settings, signed},
};

fn echo(parent: &str) -> EchoRequest {
    EchoRequest { parent: parent.into(), payload: "hello".into() }
}

#[tokio::test]
async fn roles_are_those_of_the_project_in_the_request() {
    let runtime = Runtime::start(Settings::default()).await;
    let mut client = runtime.client();
    let nobody = client.echo(echo("projects/p")).await.expect_err("nobody");
    assert_eq!(nobody.code(), Code::Unauthenticated);
    let by_key = client.echo(signed(echo("projects/p"), API_KEY)).await.expect("a viewer of p").into_inner();
    assert_eq!((&by_key.payload[..], &*by_key.caller), (&b"hello"[..], "projects/p/apiKeys/viewer"));
    let elsewhere = client.echo(signed(echo("projects/q"), API_KEY)).await.expect_err("not of q");
    assert_eq!(elsewhere.code(), Code::PermissionDenied);
    let everywhere = runtime.token(&[("mesh", "viewer")]);
    client.echo(signed(echo("projects/q"), &everywhere)).await.expect("of every project");
    for nonsense in ["", "p", "projects/", "graphs/g"] {
        let status = client.echo(signed(echo(nonsense), &everywhere)).await.expect_err("names no project");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().expect("it names the field").field_violations[0].field, "parent");
    }
    runtime.stop().await;
}

#[tokio::test]
async fn a_stream_is_authorised_by_its_first_message() {
    let runtime = Runtime::start(Settings::default()).await;
    let mut client = runtime.client();
    let chat = |parent: &str| {
        tokio_stream::iter([
            ChatRequest { parent: parent.into(), payload: "1".into() },
            ChatRequest { parent: String::new(), payload: "2".into() },
        ])
    };
    let viewer = client.chat(signed(chat("projects/p"), API_KEY)).await.expect_err("it needs an operator");
    assert_eq!(viewer.code(), Code::PermissionDenied);
    let operator = runtime.token(&[("p", "operator")]);
    let mut answers =
        client.chat(signed(chat("projects/p"), &operator)).await.expect("an operator").into_inner();
    let mut said = Vec::new();
    while let Some(answer) = answers.message().await.expect("no error") {
        said.push(answer.payload);
    }
    assert_eq!(said, ["1", "2"]);
    let silent = signed(tokio_stream::iter(Vec::<ChatRequest>::new()), &operator);
    assert_eq!(client.chat(silent).await.expect_err("names no project").code(), Code::InvalidArgument);
    runtime.stop().await;
}

#[tokio::test]
async fn rates_are_kept_and_say_when_to_come_back() {
    let mut settings = Settings::default();
    settings.limits.rate.read = Rates { per_second: 1, burst: 3 };
    let runtime = Runtime::start(settings).await;
    let mut client = runtime.client();
    for _ in 0..3 {
        client.echo(signed(echo("projects/p"), API_KEY)).await.expect("the bucket is not empty");
    }
    let status = client.echo(signed(echo("projects/p"), API_KEY)).await.expect_err("the bucket is empty");
    assert_eq!(status.code(), Code::ResourceExhausted);
    let details = status.get_error_details();
    assert!(details.retry_info().and_then(|retry| retry.retry_delay).is_some());
    assert_eq!(details.quota_failure().expect("whose").violations[0].subject, "projects/p/apiKeys/viewer");
    runtime.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_shed_and_the_place_comes_back() {
    let mut settings = Settings::default();
    settings.limits.max_streams = 1;
    let runtime = Runtime::start(settings).await;
    let mut client = runtime.client();
    let endless = CountRequest { to: u32::MAX, pause_ms: 1, panic_at: 0 };
    let mut first = client.count(endless).await.expect("the only place").into_inner();
    first.message().await.expect("it runs");
    let status = client.count(endless).await.expect_err("no place");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_error_details().error_info().expect("why").reason, "OVERLOADED");
    drop(first);
    // The place is free once the server has noticed that the client went away.
    loop {
        match client.count(CountRequest { to: 1, ..endless }).await {
            Ok(_) => break,
            Err(status) => assert_eq!(status.code(), Code::Unavailable),
        }
        tokio::task::yield_now().await;
    }
    runtime.stop().await;
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_next_call_works() {
    let runtime = Runtime::start(Settings::default()).await;
    let mut client = runtime.client();
    let status = client
        .misbehave(MisbehaveRequest { panic: true, ..Default::default() })
        .await
        .expect_err("it panics");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(status.get_error_details().error_info().expect("why").reason, "PANIC");
    let mut numbers =
        client.count(CountRequest { to: 3, pause_ms: 0, panic_at: 2 }).await.expect("it begins").into_inner();
    assert_eq!(numbers.message().await.expect("the first").expect("the first").number, 1);
    assert_eq!(numbers.message().await.expect_err("the second panics").code(), Code::Internal);
    client.echo(signed(echo("projects/p"), API_KEY)).await.expect("nothing else was hurt");
    let metrics = runtime.metrics.encode();
    assert!(metrics.contains(r#"grpc_method="Misbehave",grpc_code="INTERNAL"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"grpc_method="Count",grpc_code="INTERNAL"} 1"#), "{metrics}");
    runtime.stop().await;
}

#[tokio::test]
async fn messages_over_the_limit_are_refused() {
    let runtime = Runtime::start(Settings::default()).await;
    let large = EchoRequest { parent: "projects/p".into(), payload: vec![0; 5 * 1024 * 1024].into() };
    let status = runtime.client().echo(signed(large, API_KEY)).await.expect_err("5 MiB");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_error_details().error_info().expect("why").reason, "MESSAGE_TOO_LARGE");
    runtime.stop().await;
}
