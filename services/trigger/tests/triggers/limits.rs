//! How often webhooks may be called: each trigger as it says, and strangers who guess.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;
use weft_proto::weft::trigger::v1::{DeliveryState, RotateTriggerTokenRequest, Trigger, trigger::Source};

use crate::{
    starting::{github, request, token},
    world::{World, create, wait_for},
};

/// How long to wait, where it was too often.
fn wait_of(answer: Result<(), Status>) -> Option<Duration> {
    let status = answer.err()?;
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    assert_eq!((status.code(), &reason[..]), (Code::ResourceExhausted, "WEBHOOK_TOO_OFTEN"));
    details.retry_info().expect("it says when").retry_delay
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_takes_as_many_as_it_says() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let mut slow = github();
    let Some(Source::Webhook(webhook)) = &mut slow.source else { panic!("it is a webhook") };
    (webhook.max_per_second, webhook.max_burst) = (2, 3);
    let slow = client.clone().create_trigger(create("slow", slow)).await.unwrap().into_inner();
    let usual = client.clone().create_trigger(create("usual", github())).await.unwrap().into_inner();
    let send = async |trigger: &Trigger, n: usize| {
        let sent = request(&token(trigger), &format!("d{n}"), "{}");
        running.mesh().receive_webhook(sent).await.map(|_| ())
    };
    for n in 0..3 {
        assert_eq!(wait_of(send(&slow, n).await), None);
    }
    assert_eq!(wait_of(send(&slow, 3).await), Some(Duration::from_millis(500)));
    assert_eq!(wait_of(send(&usual, 3).await), None, "others are not held up");
    world.clock.advance(Duration::from_millis(500));
    assert_eq!(wait_of(send(&slow, 3).await), None);
    assert!(wait_of(send(&slow, 4).await).is_some());
    let noted = wait_for(&client, "slow", DeliveryState::Refused, 1).await;
    assert!(noted.iter().any(|one| one.reason == "WEBHOOK_TOO_OFTEN"));
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_addresses_is_stopped_and_nobody_else() {
    let world = World::start().await;
    let running = world.open("one");
    let made = running.client().create_trigger(create("t", github())).await.unwrap().into_inner();
    let send = async |token: &str, address: &str, n: usize| {
        let mut sent = request(token, &format!("d{n}"), "{}");
        sent.address = address.to_owned();
        running.mesh().receive_webhook(sent).await.map(|_| ())
    };
    assert!(send(&token(&made), "192.0.2.9", 0).await.is_ok());
    let mut answers = Vec::new();
    for n in 0..35 {
        answers.push(send(&format!("guess{n}"), "192.0.2.9", n).await.unwrap_err());
    }
    let codes: Vec<Code> = answers.iter().map(Status::code).collect();
    // Its own ten, and the twenty that are spared for all.
    assert_eq!(codes, [[Code::NotFound; 30].as_slice(), &[Code::ResourceExhausted; 5]].concat());
    assert_eq!(wait_of(Err(answers.pop().unwrap())), Some(Duration::from_secs(1)));
    // From the same address, who knows one is let in; and others from elsewhere.
    assert!(send(&token(&made), "192.0.2.9", 1).await.is_ok());
    assert_eq!(send("guess", "192.0.2.10", 0).await.unwrap_err().code(), Code::NotFound);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(send("guess", "192.0.2.9", 0).await.unwrap_err().code(), Code::NotFound);
    running.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knows_an_address_is_let_in_from_where_others_guess() {
    let world = World::start().await;
    let running = world.open("one");
    let client = running.client();
    let made = client.clone().create_trigger(create("t", github())).await.unwrap().into_inner();
    let other = client.clone().create_trigger(create("other", github())).await.unwrap().into_inner();
    let other_token = token(&other);
    let send = async |token: &str, n: usize| {
        let mut sent = request(token, &format!("d{n}"), "{}");
        sent.address = "192.0.2.9".to_owned();
        running.mesh().receive_webhook(sent).await.map(|_| ())
    };
    // Many at once to what nobody has named yet in this process are no guesses.
    let many = (1_000..1_100).map(|n| send(&other_token, n));
    assert!(futures::future::join_all(many).await.iter().all(Result::is_ok));
    // At once, so that each is asked before it is known what another one has found.
    let names: Vec<String> = (0..100).map(|n| format!("guess{n}")).collect();
    let guesses = names.iter().enumerate().map(|(n, name)| send(name, n));
    let answers = futures::future::join_all(guesses).await;
    let found = answers.iter().filter(|answer| answer.as_ref().is_err_and(|e| e.code() == Code::NotFound));
    assert_eq!(found.count(), 30);
    assert!(wait_of(send(&token(&made), 0).await).is_some(), "nobody has named it in this process yet");
    // While they go on, with what comes back to them in a second, there is one for who is not among them.
    world.clock.advance(Duration::from_secs(1));
    for n in 0..10 {
        assert_eq!(send("guess", n).await.unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(send(&token(&made), 0).await.map_err(|status| status.to_string()), Ok(()));
    for n in 0..100 {
        assert!(send("guess", n).await.is_err());
    }
    assert_eq!(send(&token(&made), 1).await.map_err(|status| status.to_string()), Ok(()));
    // Until it is another one.
    let old = token(&made);
    let rotate = RotateTriggerTokenRequest { name: made.name.clone(), ..Default::default() };
    client.clone().rotate_trigger_token(rotate).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let answers = [send(&old, 2).await, send(&old, 3).await];
    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|e| e.code() == Code::NotFound)));
    for n in 0..100 {
        assert!(send("guess", n).await.is_err());
    }
    assert!(wait_of(send(&old, 4).await).is_some());
    running.stop().await;
    world.stop().await;
}
