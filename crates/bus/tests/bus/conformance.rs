//! Do the bus and the cache keep their promises, in one process and over Redis?

use std::time::Duration;

use bytes::Bytes;
use weft_bus::{BusError, MAX_NAME_BYTES, MAX_VALUE_BYTES, Opened, Received, SUBSCRIBER_QUEUE};

const LONG: Duration = Duration::from_secs(3_600);

fn message(text: impl Into<Bytes>) -> Received {
    Received::Message(text.into())
}

/// What one publisher sends arrives in order, at every subscriber of the topic, and nowhere else.
async fn messages_arrive_in_order_at_all_subscribers(opened: Opened) {
    let mut first = opened.bus.subscribe("t").await.unwrap();
    let mut second = opened.bus.subscribe("t").await.unwrap();
    let mut other = opened.bus.subscribe("t2").await.unwrap();
    for n in 0..100 {
        opened.bus.publish("t", format!("message {n}").into()).await.unwrap();
    }
    opened.bus.publish("t2", "other".into()).await.unwrap();
    for n in 0..100 {
        assert_eq!(first.recv().await, message(format!("message {n}")));
        assert_eq!(second.recv().await, message(format!("message {n}")));
    }
    assert_eq!(other.recv().await, message("other"));
    assert_eq!(other.topic(), "t2");
}

/// What was published before a subscription does not arrive; what is published after it has answered does.
async fn a_subscription_begins_when_it_answers(opened: Opened) {
    opened.bus.publish("t", "before".into()).await.unwrap();
    let mut subscription = opened.bus.subscribe("t").await.unwrap();
    opened.bus.publish("t", "after".into()).await.unwrap();
    assert_eq!(subscription.recv().await, message("after"));
    drop(subscription);
    opened.bus.publish("t", "between".into()).await.unwrap();
    let mut again = opened.bus.subscribe("t").await.unwrap();
    opened.bus.publish("t", "again".into()).await.unwrap();
    assert_eq!(again.recv().await, message("again"));
}

/// A slow subscriber learns how many messages it has missed, then gets the newest ones; a quick one misses
/// nothing on its account.
async fn a_slow_subscriber_is_told_what_it_missed(opened: Opened) {
    let mut slow = opened.bus.subscribe("t").await.unwrap();
    let mut quick = opened.bus.subscribe("t").await.unwrap();
    let count = SUBSCRIBER_QUEUE + 50;
    for n in 0..count {
        opened.bus.publish("t", n.to_string().into()).await.unwrap();
        assert_eq!(quick.recv().await, message(n.to_string()));
    }
    assert_eq!(slow.recv().await, Received::Lagged(50));
    for n in 50..count {
        assert_eq!(slow.recv().await, message(n.to_string()));
    }
}

/// Any bytes are a message, empty ones too.
async fn any_bytes_are_a_message(opened: Opened) {
    let mut subscription = opened.bus.subscribe("ü topic\r\n*").await.unwrap();
    for bytes in [Bytes::new(), Bytes::from_static(b"\0\r\n\xff"), Bytes::from(vec![7; MAX_VALUE_BYTES])] {
        opened.bus.publish("ü topic\r\n*", bytes.clone()).await.unwrap();
        assert_eq!(subscription.recv().await, Received::Message(bytes));
    }
}

/// What is too large is refused, by name.
async fn what_is_too_large_is_refused(opened: Opened) {
    let large = Bytes::from(vec![0; MAX_VALUE_BYTES + 1]);
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    let refused = |result: Result<(), BusError>, name: &str| match result {
        Err(BusError::Size { field, .. }) => assert_eq!(field, name),
        other => panic!("{other:?}"),
    };
    refused(opened.bus.publish("t", large.clone()).await, "message");
    refused(opened.bus.publish(&long, Bytes::new()).await, "topic");
    refused(opened.bus.subscribe("").await.map(drop), "topic");
    refused(opened.cache.set("k", large, LONG).await, "value");
    refused(opened.cache.get(&long).await.map(drop), "key");
    refused(opened.cache.remove("").await, "key");
}

/// Closing ends subscriptions, and every later call says so.
async fn closing_ends_subscriptions(opened: Opened) {
    let mut subscription = opened.bus.subscribe("t").await.unwrap();
    opened.bus.publish("t", "last".into()).await.unwrap();
    assert_eq!(subscription.recv().await, message("last"));
    opened.bus.ping().await.unwrap();
    opened.bus.close().await;
    opened.bus.close().await;
    assert_eq!(subscription.recv().await, Received::Closed);
    assert_eq!(subscription.recv().await, Received::Closed);
    assert!(matches!(opened.bus.publish("t", Bytes::new()).await, Err(BusError::Closed)));
    assert!(matches!(opened.bus.subscribe("t").await, Err(BusError::Closed)));
    assert!(matches!(opened.bus.ping().await, Err(BusError::Closed)));
}

/// Subscribers come and go in any order without losing each other's messages.
async fn subscribers_come_and_go(opened: Opened) {
    let mut stays = opened.bus.subscribe("t").await.unwrap();
    for n in 0..50 {
        let mut goes = opened.bus.subscribe("t").await.unwrap();
        let alone = opened.bus.subscribe(&format!("alone {n}")).await.unwrap();
        drop(alone);
        opened.bus.publish("t", n.to_string().into()).await.unwrap();
        assert_eq!(goes.recv().await, message(n.to_string()));
        drop(goes);
    }
    for n in 0..50 {
        assert_eq!(stays.recv().await, message(n.to_string()));
    }
}

/// A value comes back until it is replaced or removed, and reads are counted.
async fn a_value_comes_back(opened: Opened) {
    let cache = opened.cache;
    assert_eq!(cache.get("k").await.unwrap(), None);
    for value in [Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"\0\xff")] {
        cache.set("k", value.clone(), LONG).await.unwrap();
        assert_eq!(cache.get("k").await.unwrap(), Some(value));
    }
    assert_eq!(cache.get("other").await.unwrap(), None);
    cache.remove("k").await.unwrap();
    cache.remove("k").await.unwrap();
    assert_eq!(cache.get("k").await.unwrap(), None);
    cache.set("k", "for ever".into(), Duration::MAX).await.unwrap();
    assert_eq!(cache.get("k").await.unwrap().unwrap(), "for ever");
    let statistics = cache.statistics();
    assert_eq!((statistics.hits, statistics.misses), (4, 3));
}

/// A value is gone when its time is over.
async fn a_value_expires(opened: Opened) {
    opened.cache.set("k", "value".into(), Duration::ZERO).await.unwrap();
    opened.cache.set("stays", "value".into(), LONG).await.unwrap();
    let gone = async {
        while opened.cache.get("k").await.unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("a millisecond passes");
    assert!(opened.cache.get("stays").await.unwrap().is_some());
}

async fn in_memory<F: Future<Output = ()>>(case: impl FnOnce(Opened) -> F) {
    case(weft_bus::open("memory:").await.unwrap()).await;
}

async fn over_redis<F: Future<Output = ()>>(case: impl FnOnce(Opened) -> F) {
    let Some(server) = crate::support::server().await else { return };
    let opened = weft_bus::open(&format!("{server}?prefix={}", crate::support::prefix())).await.unwrap();
    case(opened.clone()).await;
    for key in ["k", "stays"] {
        // Fails where the case has closed it.
        drop(opened.cache.remove(key).await);
    }
}

macro_rules! stamp {
    ($($case:ident),+ $(,)?) => {
        mod memory { $(#[tokio::test] async fn $case() { super::in_memory(super::$case).await; })+ }
        mod redis { $(#[tokio::test] async fn $case() { super::over_redis(super::$case).await; })+ }
    };
}

stamp!(
    messages_arrive_in_order_at_all_subscribers,
    a_subscription_begins_when_it_answers,
    a_slow_subscriber_is_told_what_it_missed,
    any_bytes_are_a_message,
    what_is_too_large_is_refused,
    closing_ends_subscriptions,
    subscribers_come_and_go,
    a_value_comes_back,
    a_value_expires,
);
