//! Alerts: from a rule to who is told, over failures and restarts.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tonic::Code;
use tonic_types::StatusExt;
use weft_kit::Lifecycle;
use weft_proto::weft::telemetry::v1::{
    Alert, AlertMatcher, AlertRule, AlertSeverity, AlertState, AlertWebhook, CreateAlertRuleRequest,
    CreateSilenceRequest, DeleteAlertRuleRequest, EndSilenceRequest, GetAlertRuleRequest,
    ListAlertRulesRequest, ListAlertsRequest, ListSilencesRequest, Silence, UpdateAlertRuleRequest,
    WatchAlertsRequest,
};
use weft_telemetry::Options;

use crate::world::{PROJECT, Running, World};

const KEY: &[u8] = b"a key that has 32 bytes in all..";

fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// Somebody who is told, and answers what it is told to.
#[derive(Clone)]
struct Receiver {
    url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    status: Arc<Mutex<u16>>,
}

#[derive(Clone, Debug)]
struct Heard {
    id: String,
    body: serde_json::Value,
    status: u16,
}

impl Receiver {
    async fn start(life: &Lifecycle) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let receiver = Self { url, heard: Arc::default(), status: Arc::new(Mutex::new(200)) };
        let answering = receiver.clone();
        life.spawn_future(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut read = Vec::new();
                let (head, body) = loop {
                    let mut more = [0; 4_096];
                    let count = stream.read(&mut more).await.unwrap();
                    read.extend(&more[..count]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length: usize = header(head, "content-length").parse().unwrap();
                    if body.len() >= length {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                answering.check(&head, &body);
                let status = *answering.status.lock().unwrap();
                let heard = Heard {
                    id: header(&head, "webhook-id").to_owned(),
                    body: serde_json::from_str(&body).unwrap(),
                    status,
                };
                answering.heard.lock().unwrap().push(heard);
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        receiver
    }

    /// As whoever is told checks it: only who has the secret can have sent it.
    #[expect(clippy::unused_self, reason = "it is what a receiver does")]
    fn check(&self, head: &str, body: &str) {
        let (id, seconds) = (header(head, "webhook-id"), header(head, "webhook-timestamp"));
        let mut code = <Hmac<Sha256> as Mac>::new_from_slice(KEY).unwrap();
        code.update(format!("{id}.{seconds}.{body}").as_bytes());
        let expected = format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()));
        assert_eq!(header(head, "webhook-signature"), expected);
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Type, and states and shards of the alerts, of all that was heard and taken.
    fn told(&self) -> Vec<String> {
        let text = |heard: &Heard| {
            let alerts = heard.body["data"]["alerts"].as_array().unwrap();
            let alert =
                |alert: &serde_json::Value| format!("{} {}", alert["state"], alert["labels"]["shard"]);
            let alerts: Vec<String> = alerts.iter().map(alert).collect();
            format!("{}: {}", heard.body["type"], alerts.join(", ")).replace('"', "")
        };
        self.heard().iter().filter(|heard| heard.status == 200).map(text).collect()
    }
}

/// Somebody who takes what it is told, and never answers: an address, and how many have come.
async fn silent(life: &Lifecycle) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    life.spawn_future(async move {
        let mut open = Vec::new();
        loop {
            open.push(listener.accept().await.unwrap());
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, asked)
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

fn options() -> Options {
    Options {
        alert_interval: Duration::from_millis(50),
        webhook_networks: vec!["127.0.0.0/8".parse().unwrap()],
        webhook_pause: Duration::from_millis(10),
        ..Options::default()
    }
}

/// Holds from so many seconds after the world's start until so many: the clock is all that it needs.
fn between(shard: &str, from: u32, until: u32) -> String {
    let start = 1_800_000_000_u32;
    format!(
        r#"label_replace(vector(time()) >= {} < {}, "shard", "{shard}", "", "")"#,
        start + from,
        start + until
    )
}

fn rule(expression: String, url: &str) -> AlertRule {
    AlertRule {
        expression,
        severity: AlertSeverity::Critical.into(),
        annotations: [("summary".to_owned(), "shard {{ $labels.shard }}".to_owned())].into(),
        webhooks: vec![AlertWebhook { url: url.to_owned(), secret: secret() }],
        ..AlertRule::default()
    }
}

impl Running {
    async fn create(&self, id: &str, rule: AlertRule) -> AlertRule {
        self.create_in(PROJECT, id, rule).await
    }

    async fn create_in(&self, parent: &str, id: &str, rule: AlertRule) -> AlertRule {
        let request = CreateAlertRuleRequest {
            parent: parent.into(),
            alert_rule_id: id.into(),
            alert_rule: Some(rule),
            request_id: String::new(),
        };
        self.alerts().create_alert_rule(request).await.unwrap().into_inner()
    }

    async fn listed(&self) -> Vec<Alert> {
        let request = ListAlertsRequest { parent: PROJECT.into(), ..ListAlertsRequest::default() };
        self.alerts().list_alerts(request).await.unwrap().into_inner().alerts
    }

    async fn states(&self) -> Vec<AlertState> {
        self.listed().await.iter().map(Alert::state).collect()
    }

    /// Until the alerts are so.
    async fn until(&self, expected: &[AlertState]) {
        let all = async {
            while self.states().await != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), all).await;
        assert!(in_time.is_ok(), "{:?}", self.listed().await);
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let all = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), all).await.is_ok(), "{what}");
}

#[tokio::test]
async fn an_alert_waits_fires_is_told_once_and_is_resolved() {
    let world = World::new(options()).await;
    let running = world.start().await;
    let life = Lifecycle::new();
    let receiver = Receiver::start(&life).await;
    let mut bus = world.bus.subscribe("telemetry.alerts.p").await.unwrap();
    let expression = format!("{} or {}", between("a", 10, 1_000), between("b", 100, 2_000));
    let hold_duration = Some(prost_types::Duration { seconds: 30, nanos: 0 });
    running.create("full", AlertRule { hold_duration, ..rule(expression, &receiver.url) }).await;
    let mut watch = running
        .alerts()
        .watch_alerts(WatchAlertsRequest { parent: PROJECT.into() })
        .await
        .unwrap()
        .into_inner();
    assert!(watch.message().await.unwrap().unwrap().alerts.is_empty());
    world.clock.advance(Duration::from_secs(15));
    running.until(&[AlertState::Pending]).await;
    assert_eq!(watch.message().await.unwrap().unwrap().alerts[0].state(), AlertState::Pending);
    assert!(receiver.heard().is_empty());
    world.clock.advance(Duration::from_secs(40));
    running.until(&[AlertState::Firing]).await;
    let alert = running.listed().await.remove(0);
    let labels: BTreeSet<(&str, &str)> =
        alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("alertname", "full"), ("severity", "critical"), ("shard", "a")].into());
    assert_eq!(alert.annotations["summary"], "shard a");
    assert!(alert.fire_time.unwrap().seconds - alert.active_time.unwrap().seconds >= 30);
    until("it is told", || receiver.told().len() == 1).await;
    assert_eq!(receiver.told(), ["alert.firing: firing a"]);
    assert!(matches!(bus.recv().await, weft_bus::Received::Message(_)));
    world.clock.advance(Duration::from_secs(100));
    running.until(&[AlertState::Firing, AlertState::Pending]).await;
    world.clock.advance(Duration::from_secs(100));
    running.until(&[AlertState::Firing, AlertState::Firing]).await;
    world.clock.advance(Duration::from_secs(800));
    running.until(&[AlertState::Firing, AlertState::Resolved]).await;
    until("it is told", || receiver.told().len() == 3).await;
    assert_eq!(
        receiver.told()[1..],
        ["alert.firing: firing a, firing b".to_owned(), "alert.firing: firing b, resolved a".to_owned()]
    );
    world.clock.advance(Duration::from_secs(1_000));
    running.until(&[AlertState::Resolved]).await;
    until("it is told", || receiver.told().len() == 4).await;
    assert_eq!(receiver.told()[3], "alert.resolved: resolved b");
    running.stop().await;
}

#[tokio::test]
async fn what_was_not_heard_is_said_again_after_a_restart_and_under_the_same_id() {
    let world = World::new(options()).await;
    let running = world.start().await;
    let life = Lifecycle::new();
    let receiver = Receiver::start(&life).await;
    *receiver.status.lock().unwrap() = 503;
    let created = running.create("full", rule(between("a", 0, 100), &receiver.url)).await;
    let tries = || {
        // Pauses are told by the world's clock.
        world.clock.advance(Duration::from_millis(10));
        receiver.heard().len() >= 2
    };
    until("it is tried", tries).await;
    // Why is where people look, and the secret is nowhere.
    let get = GetAlertRuleRequest { name: created.name.clone() };
    let shown = running.alerts().get_alert_rule(get.clone()).await.unwrap().into_inner();
    assert!(shown.problem.contains("503"), "{}", shown.problem);
    assert!(shown.webhooks[0].secret.is_empty() && created.webhooks[0].secret.is_empty());
    running.stop().await;
    let tried = receiver.heard().len();
    // Another process: what was to be said is said, once, and what fires fires on.
    let running = world.start().await;
    *receiver.status.lock().unwrap() = 200;
    world.clock.advance(Duration::from_secs(60));
    until("it is told", || !receiver.told().is_empty()).await;
    let ids: BTreeSet<String> = receiver.heard().into_iter().map(|heard| heard.id).collect();
    assert_eq!(ids.len(), 1, "{tried} attempts before");
    running.until(&[AlertState::Firing]).await;
    world.clock.advance(Duration::from_secs(60));
    running.until(&[AlertState::Resolved]).await;
    until("it is told", || receiver.told().len() == 2).await;
    assert_eq!(receiver.told(), ["alert.firing: firing a", "alert.resolved: resolved a"]);
    assert_eq!(running.alerts().get_alert_rule(get).await.unwrap().into_inner().problem, "");
    running.stop().await;
}

#[tokio::test]
async fn a_project_whose_webhooks_hang_holds_up_no_other() {
    let world = World::new(options()).await;
    let running = world.start().await;
    let life = Lifecycle::new();
    let receiver = Receiver::start(&life).await;
    let (url, asked) = silent(&life).await;
    world.clock.advance(Duration::from_secs(20));
    for number in 0..20 {
        let hanging = rule(between("a", 10, 1_000), &format!("{url}/{number}"));
        running.create(&format!("hangs-{number}"), hanging).await;
    }
    until("they hang", || asked.load(Ordering::SeqCst) >= 8).await;
    running.create_in("projects/q", "heard", rule(between("b", 10, 1_000), &receiver.url)).await;
    until("the other is told", || receiver.told() == ["alert.firing: firing b"]).await;
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 16, "{asked} of one project were under way");
    running.stop().await;
}

#[tokio::test]
async fn of_what_is_silenced_nobody_is_told_until_it_is_over() {
    let world = World::new(options()).await;
    let running = world.start().await;
    let life = Lifecycle::new();
    let receiver = Receiver::start(&life).await;
    let matcher = AlertMatcher { label: "shard".into(), value: "a|z".into(), regex: true, negated: false };
    let end = prost_types::Timestamp { seconds: 1_800_003_600, nanos: 0 };
    let silence = Silence {
        matchers: vec![matcher.clone()],
        comment: "moving house".into(),
        end_time: Some(end),
        ..Silence::default()
    };
    let request = |silence: Silence| CreateSilenceRequest {
        parent: PROJECT.into(),
        silence_id: String::new(),
        silence: Some(silence),
        request_id: String::new(),
    };
    let made = running.alerts().create_silence(request(silence.clone())).await.unwrap().into_inner();
    assert_eq!((made.creator.as_str(), made.comment.as_str()), ("projects/p/apiKeys/k", "moving house"));
    for wrong in [
        Silence { end_time: Some(prost_types::Timestamp { seconds: 1, nanos: 0 }), ..silence.clone() },
        Silence { matchers: vec![AlertMatcher { value: "(".into(), ..matcher }], ..silence },
    ] {
        let refused = running.alerts().create_silence(request(wrong)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let expression = format!("{} or {}", between("a", 0, 1_000), between("b", 0, 1_000));
    running.create("full", rule(expression, &receiver.url)).await;
    running.until(&[AlertState::Firing, AlertState::Firing]).await;
    until("it is told", || receiver.told().len() == 1).await;
    assert_eq!(receiver.told(), ["alert.firing: firing b"]);
    let silenced: Vec<(String, usize)> = running
        .listed()
        .await
        .into_iter()
        .map(|alert| (alert.labels["shard"].clone(), alert.silences.len()))
        .collect();
    assert_eq!(BTreeSet::from_iter(silenced), [("a".to_owned(), 1), ("b".to_owned(), 0)].into());
    let ended = running.alerts().end_silence(EndSilenceRequest { name: made.name.clone() }).await.unwrap();
    assert_eq!(ended.into_inner().end_time.unwrap().seconds, 1_800_000_000);
    until("it is told", || receiver.told().len() == 2).await;
    assert_eq!(receiver.told()[1], "alert.firing: firing a, firing b");
    let list = ListSilencesRequest { parent: PROJECT.into(), ..ListSilencesRequest::default() };
    assert_eq!(running.alerts().list_silences(list).await.unwrap().into_inner().silences[0].name, made.name);
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_refused_and_what_is_one_can_be_changed() {
    let world = World::new(Options { webhook_networks: Vec::new(), ..options() }).await;
    let running = world.start().await;
    let good = || rule("vector(1) > 0".to_owned(), "https://hooks.example.org/x");
    let reason = |status: &tonic::Status| {
        let details = status.get_error_details();
        details.error_info().map(|info| info.reason.clone()).unwrap_or_default()
    };
    for (wrong, expected) in [
        (AlertRule { expression: "sum by (".into(), ..good() }, "INVALID_ARGUMENT"),
        (rule("up".into(), "http://127.0.0.1:8080/"), "WEBHOOK_REFUSED"),
        (rule("up".into(), "http://169.254.169.254/latest/meta-data"), "WEBHOOK_REFUSED"),
        (rule("up".into(), "http://[::1]/"), "WEBHOOK_REFUSED"),
        (
            AlertRule { labels: [("severity".to_owned(), "x".to_owned())].into(), ..good() },
            "INVALID_ARGUMENT",
        ),
        (
            AlertRule {
                webhooks: vec![AlertWebhook { url: "https://a.example".into(), secret: "short".into() }],
                ..good()
            },
            "INVALID_ARGUMENT",
        ),
    ] {
        let request = CreateAlertRuleRequest {
            parent: PROJECT.into(),
            alert_rule: Some(wrong),
            ..CreateAlertRuleRequest::default()
        };
        let refused = running.alerts().create_alert_rule(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        if expected == "WEBHOOK_REFUSED" {
            assert_eq!(reason(&refused), expected);
        }
    }
    let request = CreateAlertRuleRequest {
        parent: PROJECT.into(),
        alert_rule_id: "r".into(),
        alert_rule: Some(AlertRule { disabled: true, ..good() }),
        request_id: "7ead0000-0000-4000-8000-00000000000a".into(),
    };
    let created = running.alerts().create_alert_rule(request.clone()).await.unwrap().into_inner();
    assert_eq!(running.alerts().create_alert_rule(request.clone()).await.unwrap().into_inner(), created);
    let again = CreateAlertRuleRequest { request_id: String::new(), ..request };
    assert_eq!(running.alerts().create_alert_rule(again).await.unwrap_err().code(), Code::AlreadyExists);
    // Without the secret that nobody has seen since: it is kept.
    let update = UpdateAlertRuleRequest {
        alert_rule: Some(AlertRule { display_name: "Full".into(), ..created.clone() }),
        update_mask: None,
    };
    let changed = running.alerts().update_alert_rule(update.clone()).await.unwrap().into_inner();
    assert_eq!((changed.display_name.as_str(), changed.etag.as_str()), ("Full", "2"));
    assert_eq!(running.alerts().update_alert_rule(update).await.unwrap_err().code(), Code::Aborted);
    let list = ListAlertRulesRequest { parent: PROJECT.into(), ..ListAlertRulesRequest::default() };
    assert_eq!(
        running.alerts().list_alert_rules(list).await.unwrap().into_inner().alert_rules,
        std::slice::from_ref(&changed)
    );
    let delete = DeleteAlertRuleRequest { name: changed.name.clone(), etag: String::new() };
    running.alerts().delete_alert_rule(delete.clone()).await.unwrap();
    assert_eq!(running.alerts().delete_alert_rule(delete).await.unwrap_err().code(), Code::NotFound);
    running.stop().await;
}
