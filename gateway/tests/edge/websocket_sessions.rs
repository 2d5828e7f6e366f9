//! Clients that sign in on a WebSocket, lose it, and come back; and those that are too slow for a stream.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use weft_gateway::{GatewayOptions, WebSocketOptions};

use crate::{support::Edge, upstream::Event, websocket::Socket};

fn edge(change: impl FnOnce(&mut WebSocketOptions)) -> Edge {
    let mut options = GatewayOptions::default();
    change(&mut options.websocket);
    Edge::with_identity(options)
}

/// A client with a session, as a good client keeps it.
struct Client {
    socket: Socket,
    session: String,
    /// Messages of the session that it has.
    received: u64,
}

impl Client {
    async fn new(edge: &Edge, who: &str) -> Self {
        let mut socket = Socket::json(edge).await;
        let metadata = json!({ "authorization": format!("Bearer {who}") });
        socket.say(json!({ "hello": { "metadata": metadata, "resumable": true } })).await;
        let welcome = socket.hear().await["welcome"].clone();
        assert_eq!((&welcome["resumed"], &welcome["received"]), (&json!(false), &json!(0)));
        assert_eq!(welcome["caller"], format!("callers/{who}"));
        let session = welcome["session"].as_str().expect("a session").to_owned();
        Self { socket, session, received: 0 }
    }

    /// Goes on over a new socket; what it is welcomed with.
    async fn come_back(&mut self, edge: &Edge, who: &str) -> Value {
        self.socket = Socket::json(edge).await;
        let metadata = json!({ "authorization": format!("Bearer {who}") });
        let hello = json!({ "metadata": metadata, "session": self.session, "received": self.received });
        self.socket.say(json!({ "hello": hello })).await;
        self.socket.hear().await["welcome"].clone()
    }

    /// The next message of a call.
    async fn hear(&mut self) -> Value {
        loop {
            let message = self.socket.hear().await;
            if message.get("ack").is_none() {
                self.received += 1;
                return message;
            }
        }
    }

    async fn count(&mut self, call: u64, asked: Value) {
        self.socket.begin(call, "Count").await;
        self.socket.say(json!({ "call": call, "message": asked })).await;
    }
}

#[tokio::test]
async fn whoever_says_hello_need_not_say_who_they_are_again() {
    let edge = edge(|_| {});
    let mut socket = Socket::json(&edge).await;
    let tickets = json!({ "ticket": "good-once" });
    let bearer = json!({ "metadata": { "authorization": "Bearer grace" } });
    for (call, hello, who) in [(1, tickets, "ada"), (2, bearer, "grace")] {
        socket.say(json!({ "hello": hello })).await;
        let welcome = socket.hear().await["welcome"].clone();
        assert_eq!(
            (&welcome["caller"], &welcome["resumed"]),
            (&json!(format!("callers/{who}")), &json!(false))
        );
        assert!(welcome.get("session").is_none(), "{welcome}");
        socket.begin(call, "Metadata").await;
        socket.say(json!({ "call": call, "message": {} })).await;
        let metadata = socket.hear().await["message"]["metadata"].clone();
        assert_eq!(metadata["authorization"], format!("Bearer {who}"));
        assert_eq!(socket.hear().await["status"]["code"], 0);
    }
}

#[tokio::test]
async fn a_hello_without_a_good_credential_closes_the_socket() {
    let edge = edge(|_| {});
    for (hello, code) in [
        (json!({}), 4001),
        (json!({ "ticket": "used" }), 4001),
        (json!({ "metadata": { "authorization": "x" } }), 4001),
        (json!({ "metadata": { "authorization": "Bearer busy" } }), 1013),
        (json!({ "metadata": { "a b": "x" } }), 1002),
        (json!({ "password": "x" }), 1002),
        (json!([]), 1002),
    ] {
        let mut socket = Socket::json(&edge).await;
        socket.say(json!({ "hello": hello })).await;
        assert_eq!(socket.closed().await.0, code, "{hello}");
    }
    // Where nobody can be asked who somebody is, nobody is anybody.
    let mut socket = Socket::json(&Edge::new()).await;
    socket.say(json!({ "hello": { "metadata": { "authorization": "Bearer ada" } } })).await;
    assert_eq!(socket.closed().await.0, 1013);
}

#[tokio::test]
async fn what_is_not_of_a_session_breaks_the_protocol() {
    let edge = edge(|_| {});
    let mut socket = Socket::json(&edge).await;
    socket.say(json!({ "ack": 0 })).await;
    assert_eq!(socket.closed().await, (1002, "ack is for sessions".to_owned()));

    let mut client = Client::new(&edge, "ada").await;
    client.socket.say(json!({ "ack": 1 })).await;
    assert_eq!(client.socket.closed().await, (1002, "so many messages were not sent".to_owned()));

    for late in [json!({ "resumable": true }), json!({ "session": "x" })] {
        let mut client = Client::new(&edge, "ada").await;
        client.socket.say(json!({ "hello": late })).await;
        let reason = "a session begins with the first message".to_owned();
        assert_eq!(client.socket.closed().await, (1002, reason));
    }
    let mut client = Client::new(&edge, "ada").await;
    client.socket.say(json!({ "hello": { "metadata": { "authorization": "Bearer grace" } } })).await;
    assert_eq!(client.socket.closed().await, (4001, "a session stays with its caller".to_owned()));
}

#[tokio::test]
async fn a_stream_that_is_cut_again_and_again_arrives_whole() {
    const LAST: i64 = 3_000;
    let edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    client.count(1, json!({ "to": LAST })).await;
    let (mut next, mut cuts) = (1, 0);
    loop {
        // Cut in the middle, and now and then before anything came.
        cuts += 1;
        for _ in 0..cuts * 97 % 331 {
            let message = client.hear().await;
            if next > LAST {
                assert_eq!(message["status"]["code"], 0, "{message}");
                return;
            }
            assert_eq!(message["message"]["value"], next.to_string());
            next += 1;
        }
        if cuts % 2 == 0 {
            client.socket.say(json!({ "ack": client.received })).await;
        }
        let welcome = client.come_back(&edge, "ada").await;
        assert_eq!(welcome["resumed"], true, "{welcome}");
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_arrives_once() {
    let mut edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    let mut said = vec![json!({ "call": 1, "open": { "method": "test.v1.EchoService/Sum" } })];
    said.extend((1..=100).map(|value| json!({ "call": 1, "message": { "value": value } })));
    said.push(json!({ "call": 1, "end": true }));
    let mut from = 0;
    for until in [1, 30, 31, 80, said.len()] {
        for message in &said[from..until] {
            client.socket.say(message.clone()).await;
        }
        if until < said.len() {
            let welcome = client.come_back(&edge, "ada").await;
            assert_eq!(welcome["resumed"], true, "{welcome}");
            from = usize::try_from(welcome["received"].as_u64().expect("a number")).expect("it is small");
            assert!(from <= until);
        }
    }
    assert_eq!(client.hear().await["message"]["value"], "5050");
    assert_eq!(client.hear().await["status"]["code"], 0);
    assert_eq!(edge.events.recv().await, Some(Event::Began("WhoAmI".into())));
}

#[tokio::test]
async fn the_client_is_told_what_has_arrived() {
    let edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    client.socket.begin(1, "Sum").await;
    for value in 1..=20 {
        client.socket.say(json!({ "call": 1, "message": { "value": value } })).await;
    }
    assert_eq!(client.socket.hear().await, json!({ "ack": 16 }));
}

#[tokio::test]
async fn a_session_is_its_callers_own() {
    let edge = edge(|_| {});
    let mut ada = Client::new(&edge, "ada").await;
    ada.count(1, json!({ "to": 1, "stay": true })).await;
    assert_eq!(ada.hear().await["message"]["value"], "1");

    let mut thief = Client::new(&edge, "eve").await;
    thief.session.clone_from(&ada.session);
    let welcome = thief.come_back(&edge, "eve").await;
    assert_eq!((&welcome["resumed"], &welcome["caller"]), (&json!(false), &json!("callers/eve")));
    assert_ne!(welcome["session"], ada.session);
    // It is a session like any other.
    thief.count(1, json!({ "to": 1 })).await;
    assert_eq!(thief.hear().await["message"]["value"], "1");

    // Nor does it go on in the other sub-protocol.
    let mut binary = Socket::open(&edge, "weft.v1.proto", &[]).await.expect("it lets us in");
    let hello = json!({ "metadata": { "authorization": "Bearer ada" }, "session": ada.session });
    let frame = [b"\0\x06", hello.to_string().as_bytes()].concat();
    futures::SinkExt::send(&mut binary.0, Message::binary(frame)).await.expect("it listens");
    let answer = futures::StreamExt::next(&mut binary.0).await.expect("an answer").expect("it lives");
    let welcome: Value =
        serde_json::from_slice(answer.into_data().strip_prefix(b"\0\x07").expect("a welcome")).expect("JSON");
    assert_eq!(welcome["resumed"], false);

    ada.count(2, json!({ "to": 1 })).await;
    assert_eq!(ada.hear().await["message"]["value"], "1");
}

#[tokio::test]
async fn a_client_that_is_back_leaves_its_old_socket() {
    let edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    client.socket.begin(1, "Chat").await;
    client.socket.say(json!({ "call": 1, "message": { "value": 1 } })).await;
    assert_eq!(client.hear().await["message"]["value"], "1");
    // A network that was changed: the old socket still stands.
    let mut old = std::mem::replace(&mut client.socket, Socket::json(&edge).await);
    assert_eq!(client.come_back(&edge, "ada").await["resumed"], true);
    assert_eq!(old.closed().await, (4009, "the session goes on elsewhere".to_owned()));
    client.socket.say(json!({ "call": 1, "message": { "value": 2 } })).await;
    assert_eq!(client.hear().await["message"]["value"], "2");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_closed_and_can_go_on() {
    const LAST: i64 = 20_000;
    let edge = edge(|options| options.send_queue_bytes = 16 * 1024);
    let mut client = Client::new(&edge, "ada").await;
    client.count(1, json!({ "to": LAST })).await;
    // Longer than the server waits, and less than it keeps a session.
    tokio::time::sleep(Duration::from_secs(70)).await;
    let (mut next, mut code) = (1, None);
    while let Some(message) = futures::StreamExt::next(&mut client.socket.0).await {
        match message {
            Ok(Message::Text(text)) => {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                assert_eq!(message["message"]["value"], next.to_string());
                next += 1;
            }
            Ok(Message::Close(frame)) => code = frame.map(|frame| u16::from(frame.code)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    assert!(next > 1 && next < LAST, "{next}");
    // The close may have found no room either.
    assert!(matches!(code, None | Some(4008 | 1008)), "{code:?}");
    // What it got, it got late, but it has it; and what is kept is less than what was on its way.
    client.received = u64::try_from(next - 1).expect("it counts up");
    let welcome = client.come_back(&edge, "ada").await;
    assert_eq!(welcome["resumed"], true, "{welcome}");
    for value in next..=LAST {
        assert_eq!(client.hear().await["message"]["value"], value.to_string());
    }
    assert_eq!(client.hear().await["status"]["code"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_waits_for_a_while() {
    let mut edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    client.count(1, json!({ "to": 1, "stay": true })).await;
    assert_eq!(client.hear().await["message"]["value"], "1");
    for began in ["WhoAmI", "Count"] {
        assert_eq!(edge.events.recv().await, Some(Event::Began(began.into())));
    }
    client.socket = Socket::json(&edge).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert!(edge.events.try_recv().is_err(), "the call goes on");
    assert_eq!(client.come_back(&edge, "ada").await["resumed"], true);
    assert_eq!(edge.events.recv().await, Some(Event::Began("WhoAmI".into())));

    let left = tokio::time::Instant::now();
    client.socket = Socket::json(&edge).await;
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
    assert_eq!(left.elapsed().as_secs(), 60);
    let welcome = client.come_back(&edge, "ada").await;
    assert_eq!(welcome["resumed"], false, "{welcome}");
}

#[tokio::test]
async fn who_says_goodbye_does_not_come_back() {
    let mut edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    client.count(1, json!({ "to": 1, "stay": true })).await;
    assert_eq!(client.hear().await["message"]["value"], "1");
    for began in ["WhoAmI", "Count"] {
        assert_eq!(edge.events.recv().await, Some(Event::Began(began.into())));
    }
    client.socket.0.close(None).await.expect("it listens");
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
    assert_eq!(client.come_back(&edge, "ada").await["resumed"], false);
}

#[tokio::test]
async fn who_acknowledges_too_little_begins_anew() {
    let mut edge = edge(|options| options.send_queue_bytes = 4 * 1024);
    let mut client = Client::new(&edge, "ada").await;
    client.count(1, json!({ "to": 1_000, "stay": true })).await;
    for value in 1..=1_000 {
        assert_eq!(client.hear().await["message"]["value"], value.to_string());
    }
    for began in ["WhoAmI", "Count"] {
        assert_eq!(edge.events.recv().await, Some(Event::Began(began.into())));
    }
    // What it has it need not get again.
    assert_eq!(client.come_back(&edge, "ada").await["resumed"], true);
    assert_eq!(edge.events.recv().await, Some(Event::Began("WhoAmI".into())));
    client.received = 500;
    let welcome = client.come_back(&edge, "ada").await;
    assert_eq!((&welcome["resumed"], &welcome["received"]), (&json!(false), &json!(0)));
    assert_ne!(welcome["session"], client.session);
    assert_eq!(edge.events.recv().await, Some(Event::Began("WhoAmI".into())));
    assert_eq!(edge.events.recv().await, Some(Event::Dropped), "its calls are over");
    client.count(1, json!({ "to": 1 })).await;
    assert_eq!(client.hear().await["message"]["value"], "1");
}

#[tokio::test]
async fn sessions_that_wait_are_counted() {
    let mut edge = edge(|options| options.max_waiting_sessions = 1);
    let mut clients = Vec::new();
    for who in ["ada", "grace"] {
        let mut client = Client::new(&edge, who).await;
        client.count(1, json!({ "to": 1, "stay": true })).await;
        assert_eq!(client.hear().await["message"]["value"], "1");
        for began in ["WhoAmI", "Count"] {
            assert_eq!(edge.events.recv().await, Some(Event::Began(began.into())));
        }
        clients.push(client);
    }
    for client in &mut clients {
        client.socket = Socket::json(&edge).await;
    }
    assert_eq!(edge.events.recv().await, Some(Event::Dropped), "for one of them there was no place");
    let mut resumed = 0;
    for (client, who) in clients.iter_mut().zip(["ada", "grace"]) {
        resumed += i32::from(client.come_back(&edge, who).await["resumed"] == true);
    }
    assert_eq!(resumed, 1);
}

#[tokio::test]
async fn a_server_that_stops_waits_for_nobody() {
    let mut edge = edge(|_| {});
    let mut client = Client::new(&edge, "ada").await;
    client.count(1, json!({ "to": 1, "stay": true })).await;
    assert_eq!(client.hear().await["message"]["value"], "1");
    for began in ["WhoAmI", "Count"] {
        assert_eq!(edge.events.recv().await, Some(Event::Began(began.into())));
    }
    drop(client);
    edge.lifecycle.drain();
    assert_eq!(edge.events.recv().await, Some(Event::Dropped));
}

#[tokio::test]
async fn of_what_only_says_how_things_are_a_slow_client_gets_the_newest() {
    const LAST: i64 = 100_000;
    let mut edge = edge(|_| {});
    let mut socket = Socket::json(&edge).await;
    socket.begin(1, "Progress").await;
    socket.say(json!({ "call": 1, "message": { "to": LAST } })).await;
    assert_eq!(edge.events.recv().await, Some(Event::Began("Progress".into())));
    // What is ordered is whole beside it.
    socket.begin(2, "Count").await;
    socket.say(json!({ "call": 2, "message": { "to": 1_000 } })).await;
    assert_eq!(edge.events.recv().await, Some(Event::Began("Count".into())));
    let (mut seen, mut at, mut counted, mut over) = (0, 0, 0, 0);
    while over < 2 {
        let message = socket.hear().await;
        if message.get("status").is_some() {
            assert_eq!(message["status"]["code"], 0, "{message}");
            over += 1;
        } else if message["call"] == 2 {
            counted += 1;
            assert_eq!(message["message"]["value"], counted.to_string());
        } else {
            let now: i64 = message["message"]["at"]["value"].as_str().expect("it").parse().expect("a number");
            assert!(now > at, "{now} after {at}");
            (at, seen) = (now, seen + 1);
        }
    }
    assert_eq!((at, counted), (LAST, 1_000));
    assert!(seen < LAST, "nothing was replaced");
}
