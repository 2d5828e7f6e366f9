//! What came to triggers: look at it, send it again, and look after what could not be started.

use anyhow::{Context, Result};
use weft_proto::weft::trigger::v1::{
    DeliveryView, DismissDeliveriesRequest, DismissDeliveryRequest, FireTriggerRequest, GetDeliveryRequest,
    ListDeliveriesRequest, ListDeliveriesResponse, PreviewTestEventsRequest, RedeliverDeliveriesRequest,
    RedeliverDeliveriesResponse, RedeliverDeliveryRequest, TestEvent, WatchDeliveriesRequest,
};

use super::{full, object, show};
use crate::{
    cli::{
        identity::new_request_id,
        output::{self, OutputFormat},
    },
    client::TriggerClient,
};

/// Redelivered in one call.
const TOGETHER: i32 = 500;

/// Dead letters: deliveries of which no run could be started for good, and which nobody has looked after yet.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List them, the newest first.
    List {
        #[command(flatten)]
        which: Which,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: i32,
    },
    /// Start runs of them again, the oldest of each 500 first.
    Redeliver {
        /// One of them, by name; those that the options say if not given.
        delivery: Option<String>,
        #[command(flatten)]
        which: Which,
    },
    /// Say that they were looked after: they stay among the deliveries of their triggers.
    Dismiss {
        /// One of them, by name; those that the options say if not given.
        delivery: Option<String>,
        #[command(flatten)]
        which: Which,
    },
}

/// An event to try a trigger with.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Name of the trigger.
    name: String,
    /// Which example: a part of its name or its type. The first one where neither this nor a body is given.
    #[arg(long, value_name = "TEXT")]
    sample: Option<String>,
    /// Say which examples there are, and start nothing.
    #[arg(long)]
    samples: bool,
    /// The body, as a JSON object; of an event one of `source` and `data`.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// What its sender says that it is about.
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// A header of a webhook, `name: value`; may be given several times.
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
}

impl Test {
    pub(super) async fn run(self, client: &mut TriggerClient, format: OutputFormat) -> Result<()> {
        let name = full(&self.name);
        let request = PreviewTestEventsRequest { name: name.clone() };
        let examples = client.preview_test_events(request).await?.into_inner();
        if self.samples {
            if format == OutputFormat::Json {
                return output::json(&examples, "weft.trigger.v1.PreviewTestEventsResponse");
            }
            let rows = examples.test_events.into_iter().map(|one| vec![one.event_type, one.display_name]);
            output::table(&["type", "example"], &[], rows);
            return Ok(());
        }
        let event = self.event(examples.test_events)?;
        let request = FireTriggerRequest {
            name,
            body: event.body,
            request_id: new_request_id(),
            test: true,
            headers: event.headers,
            event_type: event.event_type,
        };
        show::delivery(&client.fire_trigger(request).await?.into_inner(), format)
    }

    /// The example that is meant, with what is given instead of its parts.
    fn event(self, examples: Vec<TestEvent>) -> Result<TestEvent> {
        let mut event = match &self.sample {
            Some(text) => {
                let wanted = text.to_lowercase();
                let is_meant = |one: &TestEvent| {
                    one.event_type.contains(&wanted) || one.display_name.to_lowercase().contains(&wanted)
                };
                examples
                    .into_iter()
                    .find(is_meant)
                    .with_context(|| format!("there is no example of {text}"))?
            }
            None if self.body.is_some() => TestEvent::default(),
            None => examples.into_iter().next().unwrap_or_default(),
        };
        if let Some(body) = &self.body {
            event.body = Some(object(body).context("--body")?);
        }
        if let Some(event_type) = self.event_type {
            event.event_type = event_type;
        }
        for header in &self.header {
            let (name, value) = header.split_once(':').context("--header is `name: value`")?;
            event.headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
        Ok(event)
    }
}

/// Tells what comes, until it is interrupted.
pub(super) async fn watch(client: &mut TriggerClient, parent: String, format: OutputFormat) -> Result<()> {
    let request = WatchDeliveriesRequest { parent, after_cursor: String::new() };
    let mut told = client.watch_deliveries(request).await?.into_inner();
    while let Some(message) = told.message().await? {
        if format == OutputFormat::Json {
            output::json_line(&message, "weft.trigger.v1.WatchDeliveriesResponse")?;
            continue;
        }
        if message.skipped {
            output::line("…");
        }
        for delivery in &message.deliveries {
            output::line(&show::row(delivery).join("  "));
        }
    }
    Ok(())
}

/// Which of the dead letters.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The project.
    #[arg(long, default_value = "default")]
    project: String,
    /// Only those of one trigger, by its id in the project.
    #[arg(long, default_value = "-")]
    trigger: String,
    /// Only those that a filter matches, for example `reason = NOT_ALLOWED`.
    #[arg(long, default_value = "")]
    filter: String,
}

impl Which {
    fn parent(&self) -> String {
        format!("projects/{}/triggers/{}", self.project, self.trigger)
    }

    fn filter(&self) -> String {
        match self.filter.trim() {
            "" | "*" => "dead_letter = true".to_owned(),
            filter => format!("dead_letter = true AND ({filter})"),
        }
    }
}

impl DeadLettersCommand {
    pub(super) async fn run(self, client: &mut TriggerClient, format: OutputFormat) -> Result<()> {
        match self {
            Self::List { which, limit } => list(client, which.parent(), which.filter(), limit, format).await,
            Self::Redeliver { delivery: Some(name), .. } => redeliver(client, &name, format).await,
            Self::Redeliver { delivery: None, which } => {
                redeliver_all(client, which.parent(), which.filter(), format).await
            }
            Self::Dismiss { delivery: Some(name), .. } => {
                let request = DismissDeliveryRequest { name: full_delivery(&name) };
                show::delivery(&client.dismiss_delivery(request).await?.into_inner(), format)
            }
            Self::Dismiss { delivery: None, which } => dismiss_all(client, &which, format).await,
        }
    }
}

/// What came to a trigger, or to all of a project.
pub(super) async fn list(
    client: &mut TriggerClient,
    parent: String,
    filter: String,
    limit: i32,
    format: OutputFormat,
) -> Result<()> {
    let mut request = ListDeliveriesRequest { parent, page_size: limit, page_token: String::new(), filter };
    let mut all = ListDeliveriesResponse::default();
    loop {
        let page = client.list_deliveries(request.clone()).await?.into_inner();
        all.deliveries.extend(page.deliveries);
        let had = i32::try_from(all.deliveries.len()).unwrap_or(i32::MAX);
        if page.next_page_token.is_empty() || had >= limit {
            break;
        }
        request.page_token = page.next_page_token;
        request.page_size = limit - had;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.trigger.v1.ListDeliveriesResponse");
    }
    show::deliveries(&all.deliveries);
    Ok(())
}

/// One delivery, with what came.
pub(super) async fn look(client: &mut TriggerClient, name: &str, format: OutputFormat) -> Result<()> {
    let request = GetDeliveryRequest { name: full_delivery(name), view: DeliveryView::Full.into() };
    let delivery = client.get_delivery(request).await?.into_inner();
    show::delivery(&delivery, format)?;
    if format == OutputFormat::Table {
        show::content(&delivery);
    }
    Ok(())
}

/// One delivery once more.
pub(super) async fn redeliver(client: &mut TriggerClient, name: &str, format: OutputFormat) -> Result<()> {
    let request = RedeliverDeliveryRequest { name: full_delivery(name), request_id: new_request_id() };
    show::delivery(&client.redeliver_delivery(request).await?.into_inner(), format)
}

/// All deliveries once more that a filter names.
pub(super) async fn redeliver_all(
    client: &mut TriggerClient,
    parent: String,
    filter: String,
    format: OutputFormat,
) -> Result<()> {
    let mut request = RedeliverDeliveriesRequest {
        parent,
        filter,
        max_count: TOGETHER,
        request_id: new_request_id(),
        page_token: String::new(),
    };
    let mut all = RedeliverDeliveriesResponse::default();
    loop {
        let some = client.redeliver_deliveries(request.clone()).await?.into_inner();
        all.redelivered_count += some.redelivered_count;
        all.skipped_count += some.skipped_count;
        if some.next_page_token.is_empty() {
            break;
        }
        request.page_token = some.next_page_token;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.trigger.v1.RedeliverDeliveriesResponse");
    }
    let skipped = match all.skipped_count {
        0 => String::new(),
        count => format!(", {count} cannot be"),
    };
    output::line(&format!("{} redelivered{skipped}", all.redelivered_count));
    Ok(())
}

async fn dismiss_all(client: &mut TriggerClient, which: &Which, format: OutputFormat) -> Result<()> {
    let request = DismissDeliveriesRequest { parent: which.parent(), filter: which.filter() };
    let mut all = client.dismiss_deliveries(request.clone()).await?.into_inner();
    while all.more_available {
        let more = client.dismiss_deliveries(request.clone()).await?.into_inner();
        all.dismissed_count += more.dismissed_count;
        all.more_available = more.more_available;
    }
    if format == OutputFormat::Json {
        return output::json(&all, "weft.trigger.v1.DismissDeliveriesResponse");
    }
    output::line(&format!("{} dismissed", all.dismissed_count));
    Ok(())
}

/// The name of a delivery, `trigger/delivery` being one in the project `default`.
fn full_delivery(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((trigger, delivery)) if !name.contains("/deliveries/") => {
            format!("{}/deliveries/{delivery}", full(trigger))
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_named_shortly_or_in_full() {
        assert_eq!(full_delivery("t/00"), "projects/default/triggers/t/deliveries/00");
        assert_eq!(
            full_delivery("projects/p/triggers/t/deliveries/00"),
            "projects/p/triggers/t/deliveries/00"
        );
    }
}
