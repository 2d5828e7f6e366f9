//! Values of every type that a contract can have, in JSON.

/// What is said as `test.v1.Everything`, and what canonical JSON says of it; nothing where it is the same.
pub(super) const ALL: &[(&str, &str)] = &[
    ("{}", ""),
    // Numbers.
    (r#"{"doubleValue":1.5,"floatValue":-0.25}"#, ""),
    (r#"{"doubleValue":"NaN","floatValue":"NaN"}"#, ""),
    (r#"{"doubleValue":"Infinity","floatValue":"-Infinity"}"#, ""),
    (r#"{"doubleValue":1e300,"floatValue":"1e3"}"#, r#"{"doubleValue":1e300,"floatValue":1000}"#),
    (r#"{"doubleValue":0.1}"#, ""),
    // To the last bit, which a quick parser loses.
    (r#"{"doubleValue":4.778309726736481e-299,"nested":{"doubleValue":9.072651028432341e232}}"#, ""),
    (r#"{"int32Value":-2147483648,"sint32Value":2147483647,"sfixed32Value":-1}"#, ""),
    (r#"{"int32Value":"7","uint32Value":1e3}"#, r#"{"int32Value":7,"uint32Value":1000}"#),
    (r#"{"uint32Value":4294967295,"fixed32Value":4294967295}"#, ""),
    (r#"{"int64Value":"-9223372036854775808","sint64Value":"9223372036854775807"}"#, ""),
    (r#"{"uint64Value":"18446744073709551615","fixed64Value":"1","sfixed64Value":"-1"}"#, ""),
    (r#"{"int64Value":9007199254740993}"#, r#"{"int64Value":"9007199254740993"}"#),
    (r#"{"boolValue":true}"#, ""),
    (r#"{"boolValue":false,"int32Value":0,"stringValue":"","bytesValue":""}"#, "{}"),
    // Text and bytes.
    (r#"{"stringValue":"grüße, 世界, \ud83d\ude00, \u0000, \"\\/\b\f\n\r\t\u2028"}"#, ""),
    (r#"{"bytesValue":"AAECA//+"}"#, ""),
    (r#"{"bytesValue":"_-8"}"#, r#"{"bytesValue":"/+8="}"#),
    (r#"{"string_value":"either name"}"#, r#"{"stringValue":"either name"}"#),
    // Enums.
    (
        r#"{"color":"COLOR_RED","colors":["COLOR_BLUE",1,"COLOR_UNSPECIFIED"]}"#,
        r#"{"color":"COLOR_RED","colors":["COLOR_BLUE","COLOR_RED","COLOR_UNSPECIFIED"]}"#,
    ),
    (r#"{"color":77}"#, ""),
    // Messages.
    (r#"{"nested":{}}"#, ""),
    (r#"{"nested":{"nested":{"nested":{"nested":{"text":"deep"}}}}}"#, ""),
    (r#"{"list":[{},{"text":"a"},{"list":[{"list":[]}]}]}"#, r#"{"list":[{},{"text":"a"},{"list":[{}]}]}"#),
    // Lists and maps.
    (r#"{"numbers":[1,2,-3],"words":["","a"],"blobs":["","AQ=="],"durations":["1s","0s"]}"#, ""),
    (r#"{"numbers":[],"counts":{}}"#, "{}"),
    (r#"{"counts":{"":0,"a":1,"ü.b":-2}}"#, ""),
    (r#"{"byNumber":{"-1":{"text":"a"},"9223372036854775807":{}}}"#, ""),
    (r#"{"byBool":{"true":"AQ==","false":""}}"#, ""),
    (r#"{"colorsByName":{"a":"COLOR_RED","b":"COLOR_UNSPECIFIED"}}"#, ""),
    (r#"{"doubles":{"1":0.5,"18446744073709551615":"NaN"}}"#, ""),
    // One of several, and presence.
    (r#"{"first":""}"#, ""),
    (r#"{"second":0}"#, ""),
    (r#"{"third":{}}"#, ""),
    (r#"{"maybe":"","maybeNumber":0}"#, ""),
    (r#"{"maybe":null,"nested":null,"numbers":null,"counts":null}"#, "{}"),
    // Well-known types.
    (r#"{"time":"2026-01-31T12:00:00Z"}"#, ""),
    (r#"{"time":"2026-01-31T12:00:00.123456789+02:00"}"#, r#"{"time":"2026-01-31T10:00:00.123456789Z"}"#),
    (r#"{"time":"0001-01-01T00:00:00Z","nested":{"time":"9999-12-31T23:59:59.999999999Z"}}"#, ""),
    (r#"{"duration":"-1.500s","nested":{"duration":"315576000000s"}}"#, ""),
    (r#"{"mask":"text,nested.stringValue"}"#, ""),
    (r#"{"mask":""}"#, ""),
    (r#"{"object":{"a":1,"b":[true,null,"x",{"c":-0.5}],"":{}}}"#, ""),
    (r#"{"anything":null}"#, ""),
    (r#"{"anything":[1,"2",{"three":3}]}"#, ""),
    (r#"{"several":[],"nested":{"several":[null,1,[]]}}"#, ""),
    (r#"{"empty":{}}"#, ""),
    (
        r#"{"any":{"@type":"type.googleapis.com/test.v1.Thing","name":"shelves/s/things/t","size":{"width":3}}}"#,
        "",
    ),
    (r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}}"#, ""),
    (
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/test.v1.Size","height":1}}}"#,
        "",
    ),
    (r#"{"wrappedNumber":"0","wrappedText":"","wrappedBool":false,"wrappedBytes":"","wrappedDouble":0}"#, ""),
    (
        r#"{"wrappedInt32":-1,"wrappedUint32":4294967295,"wrappedUint64":"18446744073709551615","wrappedFloat":0.5}"#,
        "",
    ),
    (r#"{"wrappedNumber":null,"wrappedText":null}"#, "{}"),
];

/// JSON of `test.v1.Shape` that does not fit, and what is said of it.
pub(super) const WRONG: &[(&str, &str)] = &[
    (r#"{"nothing":1}"#, "nothing: there is no such field in test.v1.Shape"),
    (
        r#"{"what":{"nested":{"nothing":1}}}"#,
        "what.nested.nothing: there is no such field in test.v1.Everything",
    ),
    (r#"{"what":{"text":"a","text":"b"}}"#, "what.text: is given twice"),
    (r#"{"what":{"stringValue":"a","string_value":"b"}}"#, "what.string_value: is given twice"),
    (r#"{"what":{"counts":{"a":1,"a":2}}}"#, "what.counts.a: is given twice"),
    (r#"{"what":{"int32Value":"x"}}"#, "what.int32Value: invalid digit found in string"),
];
