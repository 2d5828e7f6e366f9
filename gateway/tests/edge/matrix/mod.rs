//! One method, every protocol, the same answer: a list of cases, each called in every protocol that can
//! say it. A case that is added is added to all of them, and so is a protocol.

mod case;
mod connect;
mod grpc;
mod mcp;
mod mesh;
mod outcome;
mod protocol;
mod rest;
mod service;
mod socket;
mod values;
mod web;

use tonic::Code;
use weft_gateway::{Gateway, GatewayOptions, Upstreams};
use weft_kit::{Lifecycle, Peer};

use self::{
    case::{ASK, Case, EVERY, GATHER, NOTHING, TALK, WATCH, call},
    outcome::Outcome,
    protocol::Protocol,
    service::{SERVICE, Shapes},
};
use crate::support::{Edge, pool};

/// Most bytes of a message here: enough for every case, and little for those that are too large.
const LIMIT: usize = 64 * 1024;

/// What a call hears that took too long.
const LATE: &str = "the call's deadline passed before it was done";

/// A gateway with the service, and bounds that are soon reached.
pub(crate) fn edge() -> Edge {
    let options =
        GatewayOptions { max_body_bytes: LIMIT, max_message_bytes: LIMIT, ..GatewayOptions::default() };
    let upstreams = Upstreams::new().with(SERVICE, Peer::new(Shapes));
    let lifecycle = Lifecycle::new();
    let gateway = Gateway::new(upstreams, options, pool(), lifecycle.clone()).expect("good contracts");
    Edge { gateway, lifecycle, ..Edge::new() }
}

/// Calls each case in each protocol.
async fn check(cases: Vec<Case>) {
    check_in(&edge(), cases).await;
}

async fn check_in(edge: &Edge, cases: Vec<Case>) {
    for case in cases {
        let mut first: Option<(Protocol, Outcome)> = None;
        for protocol in Protocol::ALL.into_iter().filter(|protocol| protocol.speaks(&case)) {
            let outcome = protocol.call(edge, &case).await;
            let end = (outcome.end.code, outcome.end.message.as_str(), outcome.end.reason());
            let said: String = format!("{:?}", case.said).chars().take(300).collect();
            let place = format!("{protocol:?} {} {said}", case.method.name);
            assert_eq!(end, (case.code, case.text.as_str(), case.reason), "{place}");
            // A method that answers once has one end: what came before an error is not told everywhere.
            if case.method.server_streaming || case.code == Code::Ok {
                assert_eq!(outcome.messages, case.messages, "{place}");
            }
            match &first {
                None => first = Some((protocol, outcome)),
                Some((other, same)) => {
                    assert_eq!(outcome.end.details, same.end.details, "{place}, against {other:?}");
                }
            }
        }
        assert!(first.is_some(), "no protocol says {case:?}");
    }
}

/// A case for each method, with what it answers where it answers at all.
fn each(make: impl Fn(Case) -> Case) -> Vec<Case> {
    EVERY.into_iter().map(|method| make(call(method))).collect()
}

#[tokio::test]
async fn every_value_comes_back() {
    let mut cases = Vec::new();
    for (said, heard) in values::ALL {
        let said = format!(r#"{{"what":{said}}}"#);
        let heard = if heard.is_empty() { said.clone() } else { format!(r#"{{"what":{heard}}}"#) };
        for method in [ASK, WATCH, TALK] {
            cases.push(call(method).say(&said).hear(&heard));
        }
        let gathered =
            heard.strip_prefix(r#"{"what":"#).and_then(|rest| rest.strip_suffix('}')).expect("as made");
        cases.push(call(GATHER).say(&said).hear(&format!(r#"{{"what":{{"list":[{gathered}]}}}}"#)));
    }
    check(cases).await;
}

#[tokio::test]
async fn streams_keep_their_order_and_their_ends() {
    let shape = |number: u32| format!(r#"{{"what":{{"int32Value":{number}}}}}"#);
    let mut many = call(TALK);
    let mut gathered = Vec::new();
    let mut gather = call(GATHER);
    for number in 1..=50 {
        many = many.say(shape(number)).hear(&shape(number));
        gather = gather.say(shape(number));
        gathered.push(format!(r#"{{"int32Value":{number}}}"#));
    }
    let mut watched = call(WATCH).say(r#"{"what":{"text":"x"},"act":{"times":50}}"#);
    for _ in 0..50 {
        watched = watched.hear(r#"{"what":{"text":"x"}}"#);
    }
    check(vec![
        many,
        gather.hear(&format!(r#"{{"what":{{"list":[{}]}}}}"#, gathered.join(","))),
        watched,
        call(WATCH).say(r#"{"act":{"times":0}}"#),
        call(TALK),
        call(TALK).say(r#"{"act":{}}"#).say("{}").hear("{}"),
        call(GATHER).hear(r#"{"what":{}}"#),
        call(ASK).say("{}").hear("{}"),
    ])
    .await;
}

#[tokio::test]
async fn every_error_keeps_code_message_and_details() {
    let mut cases = Vec::new();
    for number in 1..=16 {
        let code = Code::from_i32(number);
        let said = format!(r#"{{"act":{{"code":{number},"message":"nö, \"{number}\"\n%41"}}}}"#);
        let text = format!("nö, \"{number}\"\n%41");
        cases.extend(each(|case| case.say(&said).fail(code, &text, "AS_ASKED")));
    }
    check(cases).await;
}

#[tokio::test]
async fn an_error_in_the_middle_is_the_same_error() {
    let said = r#"{"what":{"text":"x"},"act":{"times":2,"code":9,"message":"enough"}}"#;
    let fails = |case: Case| case.fail(Code::FailedPrecondition, "enough", "AS_ASKED");
    check(vec![
        fails(call(WATCH).say(said).hear(r#"{"what":{"text":"x"}}"#).hear(r#"{"what":{"text":"x"}}"#)),
        fails(
            call(TALK)
                .say("{}")
                .say(said)
                .say("{}")
                .hear("{}")
                .hear(r#"{"what":{"text":"x"}}"#)
                .hear(r#"{"what":{"text":"x"}}"#),
        ),
        fails(call(GATHER).say("{}").say(r#"{"act":{"code":9,"message":"enough"}}"#).say("{}")),
        // The message of a call that answers once came already: it still failed.
        fails(call(ASK).say(r#"{"act":{"times":1,"code":9,"message":"enough"}}"#)),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_every_call_alike() {
    let late = |case: Case| case.fail(Code::DeadlineExceeded, LATE, "DEADLINE_EXCEEDED");
    let mut cases = each(|case| late(case.say(r#"{"act":{"hang":true}}"#).within(300)));
    // No time is no call, however fast the service would be.
    cases.extend(each(|case| late(case.say("{}").within(0))));
    cases.push(late(call(WATCH).say(r#"{"act":{"times":1,"hang":true}}"#).within(300).hear("{}")));
    cases.push(late(call(TALK).say("{}").say(r#"{"act":{"hang":true}}"#).within(300).hear("{}")));
    cases.push(late(call(ASK).say(r#"{"act":{"times":1,"hang":true}}"#).within(300)));
    // Enough time is no matter.
    cases.push(call(ASK).say("{}").within(60_000).hear("{}"));
    check(cases).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_alike() {
    let large = |case: Case| {
        case.fail(
            Code::ResourceExhausted,
            format!("a message has at most {LIMIT} bytes"),
            "MESSAGE_TOO_LARGE",
        )
    };
    let text = |bytes: usize| format!(r#"{{"what":{{"stringValue":"{}"}}}}"#, "x".repeat(bytes));
    let mut cases = each(|case| large(case.say(text(LIMIT + 1))));
    cases.push(large(call(GATHER).say("{}").say(text(LIMIT + 1))));
    // And what the service answers.
    let asked = format!(r#"{{"act":{{"times":1,"bytes":{}}}}}"#, LIMIT + 1);
    cases.extend(each(|case| large(case.say(&asked))));
    // What just fits is answered.
    let fits = text(LIMIT - 1_000);
    cases.extend([ASK, WATCH, TALK].map(|method| call(method).say(&fits).hear(&fits)));
    check(cases).await;
}

#[tokio::test]
async fn a_wrong_number_of_messages_is_unimplemented() {
    let wrong = |case: Case| {
        let text = format!("{} takes one message", case.path());
        case.fail(Code::Unimplemented, text, "ONE_MESSAGE")
    };
    check(vec![
        wrong(call(ASK)),
        wrong(call(ASK).say("{}").say("{}")),
        wrong(call(WATCH)),
        wrong(call(WATCH).say(r#"{"act":{"hang":true}}"#).say("{}")),
    ])
    .await;
}

#[tokio::test]
async fn a_method_that_there_is_not_is_unimplemented() {
    let case = call(NOTHING).say("{}");
    let text = format!("there is no method {}", case.path());
    check(vec![case.fail(Code::Unimplemented, text, "UNKNOWN_METHOD")]).await;
}

#[tokio::test]
async fn json_that_does_not_fit_is_refused_alike() {
    let mut cases = Vec::new();
    for (said, text) in values::WRONG {
        cases.extend(each(|case| case.say_json(*said).fail(Code::InvalidArgument, *text, "INVALID_FIELD")));
    }
    cases.extend(each(|case| {
        let said = format!(r#"{{"what":{}{{}}{}"#, r#"{"nested":"#.repeat(70), "}".repeat(71));
        case.say_json(said).fail(
            Code::InvalidArgument,
            "the body is nested deeper than protobuf allows",
            "TOO_DEEP",
        )
    }));
    check(cases).await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_alike() {
    // A field of length 5 with 1 byte.
    let text = "failed to decode Protobuf message: buffer underflow";
    let cases =
        each(|case| case.say_proto(b"\x0a\x05\x01").fail(Code::InvalidArgument, text, "MALFORMED_MESSAGE"));
    check(cases).await;
}
