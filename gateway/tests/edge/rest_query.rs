//! Query parameters as fields.

use serde_json::{Value, json};

use crate::support::Edge;

#[tokio::test]
async fn every_kind_of_field_can_be_a_parameter() {
    let edge = Edge::new();
    let cases: &[(&str, Value)] = &[
        ("doubleValue=1.5e3", json!({ "doubleValue": 1500 })),
        ("doubleValue=NaN", json!({ "doubleValue": "NaN" })),
        ("floatValue=-Infinity", json!({ "floatValue": "-Infinity" })),
        ("int32Value=-5", json!({ "int32Value": -5 })),
        ("int64Value=9007199254740993", json!({ "int64Value": "9007199254740993" })),
        ("uint64_value=18446744073709551615", json!({ "uint64Value": "18446744073709551615" })),
        ("sint64Value=-9223372036854775808", json!({ "sint64Value": "-9223372036854775808" })),
        ("boolValue=true", json!({ "boolValue": true })),
        ("stringValue=a+b%2Bc%26d=e", json!({ "stringValue": "a b+c&d=e" })),
        ("string_value=", json!({})),
        ("maybe=", json!({ "maybe": "" })),
        ("bytesValue=-_8", json!({ "bytesValue": "+/8=" })),
        ("bytesValue=%2B%2F8%3D", json!({ "bytesValue": "+/8=" })),
        ("color=COLOR_RED", json!({ "color": "COLOR_RED" })),
        ("color=2", json!({ "color": "COLOR_BLUE" })),
        ("color=77", json!({ "color": 77 })),
        ("numbers=1&numbers=2&numbers=1", json!({ "numbers": [1, 2, 1] })),
        ("words=a,b&words=c", json!({ "words": ["a,b", "c"] })),
        ("colors=COLOR_RED&colors=1", json!({ "colors": ["COLOR_RED", "COLOR_RED"] })),
        (
            "nested.text=x&nested.nested.int32Value=3",
            json!({ "nested": { "nested": { "int32Value": 3 }, "text": "x" } }),
        ),
        ("first=x", json!({ "first": "x" })),
        ("third.text=x", json!({ "third": { "text": "x" } })),
        ("time=2026-01-31T12:00:00.5Z", json!({ "time": "2026-01-31T12:00:00.500Z" })),
        ("time=2026-01-31T12:00:00%2B02:00", json!({ "time": "2026-01-31T10:00:00Z" })),
        ("duration=1.5s", json!({ "duration": "1.500s" })),
        ("mask=displayName,labels.x_y", json!({ "mask": "displayName,labels.xY" })),
        ("mask=", json!({ "mask": "" })),
        ("wrappedNumber=5", json!({ "wrappedNumber": "5" })),
        ("wrappedText=", json!({ "wrappedText": "" })),
        ("wrappedBool=false", json!({ "wrappedBool": false })),
        ("wrappedBytes=_w", json!({ "wrappedBytes": "/w==" })),
        ("wrappedDouble=0.5", json!({ "wrappedDouble": 0.5 })),
        ("", json!({})),
        ("&&text=x&", json!({ "text": "x" })),
    ];
    for (query, expected) in cases {
        assert_eq!(edge.call(&format!("GET /v1/echo?{query}"), "").await.ok(), *expected, "{query}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let edge = Edge::new();
    for (query, message) in [
        ("nothing=1", "nothing: there is no such query parameter"),
        ("nested.nothing=1", "nested.nothing: there is no such query parameter"),
        ("text.x=1", "text.x: there is no such query parameter"),
        ("numbers.x=1", "numbers.x: there is no such query parameter"),
        ("time.seconds=1", "time.seconds: there is no such query parameter"),
        ("=1", ": there is no such query parameter"),
        ("text=a&text=b", "text: is given twice"),
        ("text=a&te%78t=b", "text: is given twice"),
        ("stringValue=a&string_value=b", "string_value: is given twice"),
        ("first=a&second=1", "second: excludes first, which is given too"),
        ("second=1&third.text=a", "third.text: excludes second, which is given too"),
        ("int32Value=2147483648", "int32Value: must be a 32-bit integer, not \"2147483648\""),
        ("int32Value=1.0", "int32Value: must be a 32-bit integer, not \"1.0\""),
        ("uint32Value=-1", "uint32Value: must be a 32-bit integer that is not negative, not \"-1\""),
        ("boolValue=yes", "boolValue: must be true or false, not \"yes\""),
        ("doubleValue=1e400", "doubleValue: must be a number, not \"1e400\""),
        ("doubleValue=inf", "doubleValue: must be a number, not \"inf\""),
        ("floatValue=1e39", "floatValue: must be a number that fits into 32 bits, not \"1e39\""),
        ("color=RED", "color: \"RED\" is none of the values of Color"),
        ("bytesValue=!", "bytesValue: must be base64"),
        ("time=yesterday", "time: must be a time such as 2026-01-31T12:00:00Z (RFC 3339)"),
        ("time=9999-12-31T23:59:59-01:00", "time: must be a time such as 2026-01-31T12:00:00Z (RFC 3339)"),
        ("time=0000-01-01T00:00:00Z", "time: must be a time such as 2026-01-31T12:00:00Z (RFC 3339)"),
        ("duration=5", "duration: must be a duration such as 1.5s"),
        ("duration=99999999999999999999s", "duration: must be a duration such as 1.5s"),
        ("duration=9223372036854775807.9s", "duration: must be a duration such as 1.5s"),
        ("nested=1", "nested: is a message, which cannot be a query parameter as a whole"),
        ("object=1", "object: is a message, which cannot be a query parameter as a whole"),
        ("anything=1", "anything: is a message, which cannot be a query parameter as a whole"),
        ("list=1", "list: is a message, which cannot be a query parameter as a whole"),
        ("counts=1", "counts: is a map, which cannot be a query parameter"),
        ("text=%", "text: has a % without two hexadecimal digits"),
        ("text=%FF", "text: is not UTF-8"),
    ] {
        let answer = edge.call(&format!("GET /v1/echo?{query}"), "").await;
        assert_eq!(answer.refused(400), message, "{query}");
    }
    let deep = format!("GET /v1/echo?{}text=1", "nested.".repeat(5_000));
    assert!(edge.call(&deep, "").await.refused(400).ends_with("there is no such query parameter"));
}

#[tokio::test]
async fn a_field_is_told_in_one_place() {
    let edge = Edge::new();
    for (line, body, message) in [
        ("GET /v1/shelves/s/things/t?name=other", "", "name: is already told by the path"),
        ("PATCH /v1/shelves/s/things/t?thing.title=x", "{}", "thing.title: belongs into the body"),
        ("POST /v1/echo?text=x", "{}", "text: there is no such query parameter"),
    ] {
        assert_eq!(edge.call(line, body).await.refused(400), message, "{line}");
    }
}
