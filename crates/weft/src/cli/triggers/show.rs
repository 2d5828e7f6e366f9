//! Triggers, deliveries and ticks as people read them.

use anyhow::Result;
use weft_proto::weft::trigger::v1::{Delivery, ListTicksResponse, Trigger, trigger::Source};

use crate::cli::output::{self, OutputFormat};

pub(super) fn trigger(trigger: &Trigger, base: &str, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(trigger, "weft.trigger.v1.Trigger");
    }
    triggers(std::slice::from_ref(trigger), base);
    Ok(())
}

pub(super) fn triggers(triggers: &[Trigger], base: &str) {
    let rows = triggers.iter().map(|trigger| {
        let (kind, when) = match &trigger.source {
            Some(Source::Webhook(webhook)) => {
                let provider = webhook.provider().as_str_name().trim_start_matches("WEBHOOK_PROVIDER_");
                let address =
                    if webhook.path.is_empty() { String::new() } else { format!("{base}{}", webhook.path) };
                (provider.to_lowercase(), address)
            }
            Some(Source::Schedule(schedule)) => {
                let kind = match (&schedule.interval, schedule.cron.as_str()) {
                    (Some(interval), _) => format!("every {}s", interval.seconds),
                    (None, "") => "dates".to_owned(),
                    (None, cron) => format!("{cron} {}", schedule.time_zone).trim().to_owned(),
                };
                let next = output::time(schedule.next_time.as_ref());
                (kind, if next.is_empty() { "never".to_owned() } else { next })
            }
            Some(Source::ExecutionEnd(end)) => {
                let states = end
                    .states()
                    .map(|state| state.as_str_name().trim_start_matches("EXECUTION_STATE_").to_lowercase());
                let states = states.collect::<Vec<_>>().join(", ");
                let kind = if states.is_empty() { "ended".to_owned() } else { states };
                let graph = if end.graph.is_empty() { "any run" } else { &end.graph };
                (kind, graph.to_owned())
            }
            Some(Source::GraphChange(change)) => ("changed".to_owned(), change.graph.clone()),
            Some(Source::Alert(alert)) => {
                let rule = if alert.alert_rule.is_empty() { "any rule" } else { &alert.alert_rule };
                ("alert".to_owned(), rule.to_owned())
            }
            Some(Source::Message(message)) => ("message".to_owned(), message.topic.clone()),
            None => (String::new(), String::new()),
        };
        let graph = trigger.graph.rsplit('/').next().unwrap_or_default();
        let state = if trigger.paused { "paused" } else { "on" };
        vec![trigger.name.clone(), graph.to_owned(), kind, when, state.to_owned()]
    });
    output::table(&["name", "graph", "by", "at", "state"], &[], rows);
}

pub(super) fn delivery(delivery: &Delivery, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(delivery, "weft.trigger.v1.Delivery");
    }
    deliveries(std::slice::from_ref(delivery));
    Ok(())
}

pub(super) fn deliveries(deliveries: &[Delivery]) {
    let head = ["delivery", "came", "cause", "about", "state", "execution", "reason"];
    output::table(&head, &[], deliveries.iter().map(row));
}

/// A delivery in a line.
pub(super) fn row(delivery: &Delivery) -> Vec<String> {
    let word = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_lowercase();
    let about = if delivery.event_type.is_empty() {
        output::time(delivery.schedule_time.as_ref())
    } else {
        harmless(&delivery.event_type)
    };
    // As it can be given back: short where that is enough.
    let short = delivery.name.strip_prefix("projects/default/triggers/");
    let name = short.map_or_else(|| delivery.name.clone(), |name| name.replace("/deliveries/", "/"));
    let cause = word(delivery.cause().as_str_name(), "DELIVERY_CAUSE_");
    vec![
        name,
        output::time(delivery.create_time.as_ref()),
        if delivery.test { format!("{cause} (test)") } else { cause },
        about,
        word(delivery.state().as_str_name(), "DELIVERY_STATE_"),
        delivery.execution.clone(),
        delivery.reason.clone(),
    ]
}

/// What came with a delivery.
pub(super) fn content(delivery: &Delivery) {
    output::line(&format!("\n{}", delivery.name));
    let about = [
        ("message", delivery.message.as_str()),
        ("redelivery of", &delivery.redelivery_of),
        ("from", &delivery.address),
        ("called", &delivery.event_id),
    ];
    for (what, text) in about {
        if !text.is_empty() {
            output::line(&format!("{what}: {}", harmless(text)));
        }
    }
    let Some(content) = &delivery.content else {
        return output::line("nothing is kept of what came with it");
    };
    if !content.query.is_empty() {
        output::line(&format!("query: {}", content.query));
    }
    let mut headers: Vec<(&str, &str)> =
        content.headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    headers.extend(content.masked_headers.iter().map(|name| (&name[..], "***")));
    headers.sort_unstable();
    for (name, value) in headers {
        output::line(&format!("{name}: {value}"));
    }
    let json: Option<serde_json::Value> = serde_json::from_slice(&content.body).ok();
    let pretty = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    let body = pretty.unwrap_or_else(|| String::from_utf8_lossy(&content.body).into_owned());
    output::line(&format!("\n{}{}", harmless(&body), if content.truncated { "…" } else { "" }));
}

/// A stranger's text, which must not steer the terminal.
fn harmless(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

pub(super) fn ticks(ticks: &ListTicksResponse, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Json {
        return output::json(ticks, "weft.trigger.v1.ListTicksResponse");
    }
    let rows = ticks
        .ticks
        .iter()
        .map(|tick| vec![output::time(tick.schedule_time.as_ref()), output::time(tick.due_time.as_ref())]);
    output::table(&["tick", "due"], &[], rows);
    Ok(())
}
