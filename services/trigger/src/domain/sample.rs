//! Events as they come from each source, to try a trigger with. They are short: what workflows ask for, and no more.

use serde_json::{Value as Json, json};
use weft_kit::json as text;
use weft_proto::weft::trigger::v1::{TestEvent, Trigger, WebhookProvider, trigger::Source};

/// Examples of what comes to a trigger, the most usual first; none where nothing comes with it.
pub(crate) fn of(trigger: &Trigger) -> Vec<TestEvent> {
    match &trigger.source {
        Some(Source::Webhook(webhook)) => webhooks(webhook.provider()),
        Some(Source::ExecutionEnd(_)) => ["succeeded", "failed"].map(|state| ended(trigger, state)).into(),
        Some(Source::GraphChange(source)) => vec![changed(&source.graph)],
        Some(Source::Alert(source)) => {
            ["firing", "resolved"].map(|state| alert(trigger, &source.alert_rule, state)).into()
        }
        Some(Source::Message(source)) => vec![message(trigger, &source.topic)],
        Some(Source::Schedule(_)) | None => Vec::new(),
    }
}

fn project(trigger: &Trigger) -> &str {
    weft_kit::project_of(&trigger.graph).unwrap_or("default")
}

fn sample(display_name: &str, event_type: &str, headers: &[(&str, &str)], body: Json) -> TestEvent {
    TestEvent {
        display_name: display_name.to_owned(),
        event_type: event_type.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: Some(text::to_struct(body)),
    }
}

fn webhooks(provider: WebhookProvider) -> Vec<TestEvent> {
    match provider {
        WebhookProvider::Github => github(),
        WebhookProvider::Gitlab => vec![sample(
            "GitLab: push",
            "Push Hook",
            &[("content-type", "application/json"), ("x-gitlab-event", "Push Hook")],
            json!({
                "object_kind": "push",
                "ref": "refs/heads/main",
                "checkout_sha": "8b2f6d1c0a9e4f7b3d5c1e2a6f8091b2c3d4e5f6",
                "user_username": "ada",
                "project": {"path_with_namespace": "engines/notes", "default_branch": "main"},
                "total_commits_count": 1,
            }),
        )],
        WebhookProvider::Stripe => vec![sample(
            "Stripe: a payment has succeeded",
            "payment_intent.succeeded",
            &[("content-type", "application/json")],
            json!({
                "id": "evt_test", "object": "event", "type": "payment_intent.succeeded", "livemode": false,
                "data": {"object": {"id": "pi_test", "amount": 4200, "currency": "eur", "status": "succeeded"}},
            }),
        )],
        WebhookProvider::Slack => vec![sample(
            "Slack: the app was mentioned",
            "app_mention",
            &[("content-type", "application/json")],
            json!({
                "type": "event_callback", "team_id": "T0TEST", "event_id": "Ev0TEST",
                "event": {"type": "app_mention", "user": "U0TEST", "channel": "C0TEST", "text": "deploy, please"},
            }),
        )],
        WebhookProvider::StandardWebhooks => vec![sample(
            "Standard Webhooks: an order was made",
            "order.made",
            &[("content-type", "application/json"), ("webhook-id", "msg_test")],
            json!({
                "type": "order.made", "timestamp": "2026-11-01T12:00:00Z",
                "data": {"order": "1001", "total": 42},
            }),
        )],
        _ => vec![sample("JSON", "", &[("content-type", "application/json")], json!({"hello": "world"}))],
    }
}

fn github() -> Vec<TestEvent> {
    let event = |kind: &str, about: &str, body: Json| {
        sample(about, kind, &[("content-type", "application/json"), ("x-github-event", kind)], body)
    };
    let repository = json!({
        "full_name": "engines/notes", "default_branch": "main", "html_url": "https://github.com/engines/notes",
    });
    vec![
        event(
            "push",
            "GitHub: push",
            json!({
                "ref": "refs/heads/main",
                "after": "8b2f6d1c0a9e4f7b3d5c1e2a6f8091b2c3d4e5f6",
                "repository": repository,
                "pusher": {"name": "ada"},
                "head_commit": {"message": "Correct the table of numbers", "modified": ["numbers.md"]},
            }),
        ),
        event(
            "pull_request",
            "GitHub: a pull request was opened",
            json!({
                "action": "opened", "number": 7, "repository": repository, "sender": {"login": "ada"},
                "pull_request": {"title": "Correct the table of numbers", "head": {"ref": "numbers"}, "base": {"ref": "main"}},
            }),
        ),
        event(
            "ping",
            "GitHub: ping",
            json!({"zen": "Keep it simple", "hook_id": 1, "repository": repository}),
        ),
    ]
}

fn ended(trigger: &Trigger, state: &str) -> TestEvent {
    let project = project(trigger);
    let graph = match &trigger.source {
        Some(Source::ExecutionEnd(source)) if !source.graph.is_empty() => source.graph.clone(),
        _ => format!("projects/{project}/graphs/orders"),
    };
    let execution = format!("projects/{project}/executions/test");
    let reason = if state == "failed" { "STEP_FAILED" } else { "" };
    let body = json!({
        "source": execution,
        "data": {
            "execution": execution, "graph": graph, "graph_revision": 1, "state": state, "reason": reason,
            "create_time": "2026-11-01T12:00:00Z", "end_time": "2026-11-01T12:00:05Z",
            "step_count": 3, "retry_count": 0, "depth": 0,
        },
    });
    sample(&format!("A run has {state}"), &format!("execution.{state}"), &[], body)
}

fn changed(graph: &str) -> TestEvent {
    let body = json!({
        "source": graph,
        "data": {
            "graph": graph, "first_revision": 7, "last_revision": 8, "actors": ["projects/default/apiKeys/ada"],
            "nodes": {"written_count": 1, "deleted_count": 0, "written": ["a"], "deleted": [], "types": ["page"]},
            "edges": {"written_count": 0, "deleted_count": 0, "types": []},
        },
    });
    sample("A graph was changed", "graph.changed", &[], body)
}

fn alert(trigger: &Trigger, rule: &str, state: &str) -> TestEvent {
    let some = format!("projects/{}/alertRules/disk-full", project(trigger));
    let rule = if rule.is_empty() { &some } else { rule };
    let body = json!({
        "source": rule,
        "data": {
            "alert_rule": rule, "fingerprint": "0123456789abcdef", "state": state, "severity": "warning",
            "labels": {"host": "a", "mount": "/"}, "annotations": {}, "value": 0.93,
            "active_time": "2026-11-01T12:00:00Z", "fire_time": "2026-11-01T12:05:00Z",
        },
    });
    let about = if state == "firing" { "An alert fires" } else { "An alert is over" };
    sample(about, &format!("alert.{state}"), &[], body)
}

fn message(trigger: &Trigger, topic: &str) -> TestEvent {
    let project = project(trigger);
    let execution = format!("projects/{project}/executions/test");
    let body = json!({
        "source": execution,
        "data": {
            "topic": topic, "value": {"total": 120}, "execution": execution,
            "graph": format!("projects/{project}/graphs/orders"), "step": "paid",
            "publish_time": "2026-11-01T12:00:00Z", "depth": 0,
        },
    });
    sample("A message was published", "message.published", &[], body)
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::trigger::v1::{
        AlertSource, ExecutionEndSource, GraphChangeSource, MessageSource, ScheduleSource, WebhookSource,
    };

    use super::*;

    #[test]
    fn each_source_has_examples_of_its_kind() {
        let of = |source: Source| {
            of(&Trigger {
                graph: "projects/p/graphs/g".to_owned(),
                source: Some(source),
                ..Trigger::default()
            })
        };
        for provider in 1..=8 {
            let all = of(Source::Webhook(WebhookSource { provider, ..WebhookSource::default() }));
            assert!(
                all.iter().all(|one| one.headers["content-type"] == "application/json" && one.body.is_some())
            );
            assert!(!all.is_empty());
        }
        let events = [
            Source::ExecutionEnd(ExecutionEndSource::default()),
            Source::GraphChange(GraphChangeSource::default()),
            Source::Alert(AlertSource::default()),
            Source::Message(MessageSource::default()),
        ];
        for source in events {
            for one in of(source) {
                let body = text::of_struct(&one.body.unwrap_or_default());
                assert!(body["source"].is_string() && body["data"].is_object(), "{}", one.display_name);
                assert!(!one.event_type.is_empty());
            }
        }
        assert!(of(Source::Schedule(ScheduleSource::default())).is_empty());
    }
}
