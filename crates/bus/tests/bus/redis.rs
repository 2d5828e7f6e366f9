//! What becomes of a bus when its Redis goes away and comes back?

use std::time::Duration;

use weft_bus::{BusError, Opened, Received};

use crate::support::{self, Wire};

async fn over(address: &str, prefix: &str) -> Opened {
    weft_bus::open(&format!("redis://{address}?prefix={prefix}")).await.unwrap()
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens in time")
}

#[tokio::test]
async fn processes_hear_each_other_and_meshes_do_not() {
    let Some(server) = support::server().await else { return };
    let address = server.strip_prefix("redis://").unwrap();
    let (ours, theirs) = (support::prefix(), support::prefix());
    let (here, there) = (over(address, &ours).await, over(address, &ours).await);
    let stranger = over(address, &theirs).await;
    let mut subscription = here.bus.subscribe("t").await.unwrap();
    stranger.bus.publish("t", "not for us".into()).await.unwrap();
    there.bus.publish("t", "for us".into()).await.unwrap();
    assert_eq!(soon(subscription.recv()).await, Received::Message("for us".into()));

    there.cache.set("k", "v".into(), Duration::from_secs(60)).await.unwrap();
    assert_eq!(here.cache.get("k").await.unwrap().unwrap(), "v");
    assert_eq!(stranger.cache.get("k").await.unwrap(), None);
    here.cache.remove("k").await.unwrap();
}

#[tokio::test]
async fn a_broken_connection_is_told_and_made_again() {
    let Some(server) = support::server().await else { return };
    let (wire, prefix) = (Wire::to(&server).await, support::prefix());
    let far = over(&wire.address, &prefix).await;
    let near = over(server.strip_prefix("redis://").unwrap(), &prefix).await;
    let mut one = far.bus.subscribe("one").await.unwrap();
    let mut two = far.bus.subscribe("two").await.unwrap();
    for round in 0..3 {
        near.bus.publish("one", format!("before {round}").into()).await.unwrap();
        assert_eq!(soon(one.recv()).await, Received::Message(format!("before {round}").into()));
        wire.cut();
        let refused = soon(far.bus.publish("one", "lost".into())).await;
        assert!(matches!(refused, Err(BusError::Unavailable(_))), "{refused:?}");
        near.bus.publish("two", "missed".into()).await.unwrap();
        wire.mend();
        assert_eq!(soon(one.recv()).await, Received::Lagged(0));
        assert_eq!(soon(two.recv()).await, Received::Lagged(0));
    }
    // After it is told, a subscriber misses nothing more.
    near.bus.publish("two", "after".into()).await.unwrap();
    assert_eq!(soon(two.recv()).await, Received::Message("after".into()));
}

#[tokio::test]
async fn a_subscription_made_without_redis_begins_with_lagged() {
    let Some(server) = support::server().await else { return };
    let (wire, prefix) = (Wire::to(&server).await, support::prefix());
    wire.cut();
    let far = over(&wire.address, &prefix).await;
    let mut subscription = soon(far.bus.subscribe("t")).await.unwrap();
    assert!(matches!(soon(far.bus.ping()).await, Err(BusError::Unavailable(_))));
    assert!(matches!(soon(far.cache.get("k")).await, Err(BusError::Unavailable(_))));
    wire.mend();
    assert_eq!(soon(subscription.recv()).await, Received::Lagged(0));
    soon(far.bus.ping()).await.unwrap();
    far.bus.publish("t", "now".into()).await.unwrap();
    assert_eq!(soon(subscription.recv()).await, Received::Message("now".into()));
}

#[tokio::test]
async fn a_bus_without_redis_closes_at_once() {
    let Some(server) = support::server().await else { return };
    let wire = Wire::to(&server).await;
    let far = over(&wire.address, &support::prefix()).await;
    let mut subscription = far.bus.subscribe("t").await.unwrap();
    wire.cut();
    soon(far.bus.close()).await;
    assert_eq!(subscription.recv().await, Received::Closed);
}

#[tokio::test]
async fn redis_is_subscribed_to_what_somebody_here_watches_only() {
    let Some(server) = support::server().await else { return };
    let prefix = support::prefix();
    let opened = over(server.strip_prefix("redis://").unwrap(), &prefix).await;
    let count = async || -> usize {
        let client = deadpool_redis::redis::Client::open(server.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = deadpool_redis::redis::cmd("PUBSUB");
        let channels: Vec<String> =
            command.arg("CHANNELS").arg(format!("{prefix}:*")).query_async(&mut connection).await.unwrap();
        channels.len()
    };
    let first = opened.bus.subscribe("a").await.unwrap();
    let second = opened.bus.subscribe("a").await.unwrap();
    let other = opened.bus.subscribe("b").await.unwrap();
    assert_eq!(count().await, 2);
    drop((first, other));
    // An order behind the one to leave has been carried out when this answers.
    let barrier = opened.bus.subscribe("barrier").await.unwrap();
    assert_eq!(count().await, 2);
    drop((second, barrier));
    let mut last = opened.bus.subscribe("c").await.unwrap();
    assert_eq!(count().await, 1);
    opened.bus.publish("a", "nobody".into()).await.unwrap();
    opened.bus.publish("c", "somebody".into()).await.unwrap();
    assert_eq!(soon(last.recv()).await, Received::Message("somebody".into()));
}
