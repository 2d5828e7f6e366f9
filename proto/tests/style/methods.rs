//! Methods are named, mapped, repeated, paged and governed the same way everywhere.

use prost_reflect::{DynamicMessage, Kind, MethodDescriptor};

use crate::{
    Finding,
    contracts::{Contracts, Route, choice, field_at, idempotency, snake, text},
};

/// First words of method names. A new one is a decision: add it here with the contract.
const VERBS: &[&str] = &[
    "Get",
    "List",
    "Create",
    "Update",
    "Delete", // standard methods
    "Apply",
    "Find",
    "Search", // graphs
    "Cancel",
    "Refresh", // sources
    "Pin",
    "Reheat",
    "Start",
    "Stop",
    "Unpin", // layouts
    "Introspect",
    "Open",
    "Issue",
    "Revoke",
    "Rotate",
    "WhoAmI", // identity
    "Approve",
    "Reject", // commands
    "Decide",
    "Pause",
    "Resume",
    "Retry",
    "Signal",
    "Terminate",
    "Validate", // executions
    "Clear",
    "End",
    "Enroll",
    "Read",
    "Restart", // agents
    "Query",
    "Write", // telemetry
    "Attach",
    "Export",
    "Import",
    "Stream",
    "Watch", // streams
    "Backfill",
    "Dismiss",
    "Fire",
    "Preview",
    "Redeliver",
    "Receive", // triggers
    "Download",
    "Upload", // objects: bytes as they are, where an import reads them
];

pub(crate) fn check(contracts: &Contracts, found: &mut Vec<Finding>) {
    for method in contracts.methods() {
        let mut report = |rule, text: &str| {
            found.push(Finding { rule, at: method.full_name().to_owned(), text: text.to_owned() });
        };
        if !VERBS.iter().any(|verb| has_verb(method.name(), verb)) {
            report("verb", "begins with no verb of the list; use one, or add it with a reason");
        }
        let policy = contracts.policy(&method).unwrap_or_else(|| panic!("{method:?} has no policy"));
        let route = contracts.route(&method);
        check_repeats(&method, &mut report);
        check_hedging(contracts, &method, &mut report);
        check_stream(&method, &mut report);
        check_paging(&method, &mut report);
        check_policy(&method, &policy, &mut report);
        let reachable = choice(&policy, "exposure") == "EXPOSURE_EDGE" && !method.is_client_streaming();
        match route {
            Some(route) if reachable => check_route(&method, &route, &mut report),
            Some(_) => report("http-missing", "has a route, but REST cannot reach it"),
            None if reachable => report("http-missing", "has no google.api.http, so REST cannot reach it"),
            None => {}
        }
    }
}

fn has_verb(name: &str, verb: &str) -> bool {
    name.strip_prefix(verb).is_some_and(|rest| !rest.starts_with(char::is_lowercase))
}

/// AIP-155: a repeat is harmless by nature, or made so by a `request_id`.
fn check_repeats(method: &MethodDescriptor, report: &mut impl FnMut(&'static str, &str)) {
    let name = method.name();
    let declared = idempotency(method);
    let reads =
        ["Get", "List", "Search", "Find", "Preview", "Validate", "Watch", "Stream", "Export", "Download"];
    let natural = if reads.iter().any(|verb| has_verb(name, verb)) {
        Some("NO_SIDE_EFFECTS")
    } else if ["Update", "Delete"].iter().any(|verb| has_verb(name, verb)) {
        Some("IDEMPOTENT")
    } else {
        None
    };
    if let Some(natural) = natural
        && natural != declared
    {
        report("repeats", &format!("declare `idempotency_level = {natural}`"));
    }
    let must_name_itself = declared == "IDEMPOTENCY_UNKNOWN" || has_verb(name, "Create");
    let unary = !method.is_client_streaming() && !method.is_server_streaming();
    let has_id =
        method.input().get_field_by_name("request_id").is_some_and(|field| field.kind() == Kind::String);
    if unary && must_name_itself && !has_id {
        report("request-id", "a repeat may do it twice: add `string request_id` with the uuid rule");
    }
}

/// What is hedged may run twice at once: it has no stream, may be repeated, changes nothing, and costs no more
/// than any look-up. What begins sooner than a scheduler's pause would be asked twice for no reason.
fn check_hedging(
    contracts: &Contracts,
    method: &MethodDescriptor,
    report: &mut impl FnMut(&'static str, &str),
) {
    let Some(hedging) = contracts.extension(&method.options(), "weft.options.v1.hedging") else { return };
    let hedging = hedging.as_message().cloned().unwrap_or_else(|| panic!("{method:?} has odd options"));
    if method.is_client_streaming()
        || method.is_server_streaming()
        || idempotency(method) != "NO_SIDE_EFFECTS"
    {
        report("hedging-repeats", "only what has no streams and changes nothing is asked twice at once");
    }
    let cost = contracts.policy(method).and_then(|policy| policy.get_field_by_name("cost")?.as_u32());
    if cost.unwrap_or_default() > 1 {
        report("hedging-cost", "what costs more than a look-up is not asked twice at once");
    }
    let delay = hedging.get_field_by_name("delay").and_then(|delay| delay.as_message().cloned());
    let millis = delay.map_or(0, |delay| {
        let part = |name| {
            delay.get_field_by_name(name).and_then(|part| part.as_i64().or(part.as_i32().map(i64::from)))
        };
        part("seconds").unwrap_or_default() * 1_000 + part("nanos").unwrap_or_default() / 1_000_000
    });
    if !(20..=5_000).contains(&millis) {
        report("hedging-delay", "its `delay` is 20 milliseconds to 5 seconds");
    }
}

fn check_stream(method: &MethodDescriptor, report: &mut impl FnMut(&'static str, &str)) {
    let verbs: &[&str] = match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, true) => &["Watch", "Stream", "Export", "Download"],
        (true, _) => &["Attach", "Import", "Upload"],
        (false, false) => {
            let streams = ["Watch", "Stream", "Export", "Download", "Attach", "Import", "Upload"];
            if streams.iter().any(|verb| has_verb(method.name(), verb)) {
                report("stream-name", "its name promises a stream; `stream` is missing");
            }
            return;
        }
    };
    if !verbs.iter().any(|verb| has_verb(method.name(), verb)) {
        report("stream-name", &format!("a stream of this kind begins with one of {verbs:?}"));
    }
}

/// AIP-158, from the first day: adding it later breaks every client.
fn check_paging(method: &MethodDescriptor, report: &mut impl FnMut(&'static str, &str)) {
    if !has_verb(method.name(), "List") && !has_verb(method.name(), "Search") {
        return;
    }
    let is = |name: &str, kind: &Kind| {
        method.input().get_field_by_name(name).is_some_and(|field| field.kind() == *kind)
    };
    if !is("page_size", &Kind::Int32) || !is("page_token", &Kind::String) {
        report("paging", "its request needs `int32 page_size` and `string page_token`");
    }
    let output = method.output();
    let token = output.get_field_by_name("next_page_token").is_some_and(|field| field.kind() == Kind::String);
    if !token || !output.get_field(1).is_some_and(|field| field.is_list()) {
        report("paging", "its response needs the list as field 1 and `string next_page_token`");
    }
}

fn check_policy(
    method: &MethodDescriptor,
    policy: &DynamicMessage,
    report: &mut impl FnMut(&'static str, &str),
) {
    let reads = idempotency(method) == "NO_SIDE_EFFECTS";
    let access = choice(policy, "access");
    let in_project = ["ACCESS_VIEWER", "ACCESS_OPERATOR", "ACCESS_ADMIN"].contains(&access.as_str());
    if access == "ACCESS_VIEWER" && !reads {
        report("policy-access", "a Viewer looks; what changes something needs an Operator or more");
    }
    let area = method.full_name().split('.').nth(1).unwrap_or_default().to_owned();
    let scope = text(policy, "scope");
    let expected = format!("{area}.{}", if reads { "read" } else { "write" });
    if scope != expected && (in_project || !scope.is_empty()) {
        report("policy-scope", &format!("its scope is {expected:?}"));
    }
    let streams = method.is_client_streaming() || method.is_server_streaming();
    let rates: &[&str] = match (streams, reads) {
        (true, _) => &["RATE_CLASS_STREAM", "RATE_CLASS_BULK"],
        (false, true) => &["RATE_CLASS_READ"],
        (false, false) => &["RATE_CLASS_WRITE", "RATE_CLASS_SIGN_IN"],
    };
    if !rates.contains(&choice(policy, "rate_class").as_str()) {
        report("policy-rate", &format!("a method of this kind is charged to one of {rates:?}"));
    }
    let path = text(policy, "resource_field");
    if path.is_empty() {
        return;
    }
    match field_at(&method.input(), &path) {
        Some(field) if field.kind() == Kind::String && !field.is_list() => {}
        _ => report("policy-resource", "`resource_field` must lead to one text in the request"),
    }
    if method.is_client_streaming() && !path.contains('.') {
        report("policy-resource", "in a stream of requests it must be inside the message that opens it");
    }
}

/// AIP-127: reads are GET, and what is written is the body.
fn check_route(method: &MethodDescriptor, route: &Route, report: &mut impl FnMut(&'static str, &str)) {
    let name = method.name();
    let rest = |verb| name.strip_prefix(verb).map(snake).unwrap_or_default();
    let (verb, body) = if idempotency(method) == "NO_SIDE_EFFECTS" {
        ("get", String::new())
    } else if has_verb(name, "Create") {
        ("post", rest("Create"))
    } else if has_verb(name, "Update") {
        ("patch", rest("Update"))
    } else if has_verb(name, "Delete") {
        ("delete", String::new())
    } else {
        ("post", "*".to_owned())
    };
    if route.verb != verb {
        report("http-verb", &format!("its HTTP method is {}", verb.to_uppercase()));
    }
    if route.body != body {
        report("http-body", &format!("its body is {body:?}"));
    }
    let version = method.full_name().split('.').nth(2).unwrap_or_default().to_owned();
    if !route.path.starts_with(&format!("/{version}/")) {
        report("http-path", &format!("begins with /{version}/, as its package does"));
    }
    for variable in route.path.split('{').skip(1).filter_map(|part| part.split(['=', '}']).next()) {
        if field_at(&method.input(), variable).is_none_or(|field| field.kind() != Kind::String) {
            report("http-path", &format!("{{{variable}}} is no text in its request"));
        }
    }
}
