//! What can deliveries be filtered by?

use weft_kit::filter::{Filter, FilterError, Found, Kind, Record, Schema};
use weft_proto::weft::trigger::v1::Delivery;
use weft_store::Timestamp;

use super::name;

/// Fields of a delivery.
static DELIVERY: Schema = Schema {
    fields: &[
        ("name", Kind::Text),
        ("trigger", Kind::Text),
        ("state", Kind::Name),
        ("reason", Kind::Text),
        ("cause", Kind::Name),
        ("dead_letter", Kind::Name),
        ("event_id", Kind::Text),
        ("event_type", Kind::Text),
        ("address", Kind::Text),
        ("failure_count", Kind::Number),
        ("redelivery_of", Kind::Text),
        ("create_time", Kind::Time),
        ("start_time", Kind::Time),
    ],
};

/// Which deliveries are wanted.
pub(crate) struct Wanted {
    filter: Filter,
    /// Whether all of them are dead letters, so that no others need be looked at.
    pub(crate) only_dead: bool,
}

impl Wanted {
    /// Reads a filter. `*` is all, as an empty one is.
    ///
    /// # Errors
    /// Where it is wrong and why.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        let text = if text.trim() == "*" { "" } else { text };
        Ok(Self { filter: Filter::parse(text, &DELIVERY)?, only_dead: only_dead(text) })
    }

    /// Whether all are wanted.
    pub(crate) fn is_all(&self) -> bool {
        self.filter.is_empty()
    }

    pub(crate) fn has(&self, delivery: &Delivery) -> bool {
        self.filter.matches(&DeliveryRecord(delivery))
    }
}

/// Whether a filter begins with that it must be a dead letter: what follows `AND` can only narrow it.
fn only_dead(text: &str) -> bool {
    let begins = text.trim().strip_prefix("dead_letter").and_then(|rest| rest.trim_start().strip_prefix('='));
    let Some(rest) = begins.map(str::trim_start) else { return false };
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    word == "true" && (rest.trim().is_empty() || rest.trim_start().starts_with("AND "))
}

/// A word of an enumeration, without what all have in common.
fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

/// A delivery that can be filtered.
struct DeliveryRecord<'a>(&'a Delivery);

impl Record for DeliveryRecord<'_> {
    fn visit(&self, field: usize, _path: &[String], test: &mut dyn FnMut(Found<'_>) -> bool) -> bool {
        let delivery = self.0;
        let instant = |time: Option<&prost_types::Timestamp>, test: &mut dyn FnMut(Found<'_>) -> bool| {
            time.is_some_and(|time| test(Found::Number(Timestamp::from(time).as_micros() as f64)))
        };
        match DELIVERY.fields[field].0 {
            "name" => test(Found::Text(&delivery.name)),
            "trigger" => {
                let trigger = name::delivery(&delivery.name).map_or("", |(trigger, _)| trigger);
                test(Found::Text(name::trigger(trigger).1))
            }
            "state" => test(Found::Text(&word(delivery.state().as_str_name(), "DELIVERY_STATE_"))),
            "reason" => test(Found::Text(&delivery.reason)),
            "cause" => test(Found::Text(&word(delivery.cause().as_str_name(), "DELIVERY_CAUSE_"))),
            "dead_letter" => test(Found::Text(if delivery.dead_letter { "true" } else { "false" })),
            "event_id" => test(Found::Text(&delivery.event_id)),
            "event_type" => test(Found::Text(&delivery.event_type)),
            "address" => test(Found::Text(&delivery.address)),
            "failure_count" => test(Found::Number(delivery.failure_count.into())),
            "redelivery_of" => test(Found::Text(&delivery.redelivery_of)),
            "create_time" => instant(delivery.create_time.as_ref(), test),
            _ => instant(delivery.start_time.as_ref(), test),
        }
    }

    fn names(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let delivery = self.0;
        test(&delivery.name) || test(&delivery.reason) || test(&delivery.event_type)
    }
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::trigger::v1::{DeliveryCause, DeliveryState};

    use super::*;

    #[test]
    fn deliveries_are_found_by_what_is_known_of_them() {
        let delivery = Delivery {
            name: format!("projects/p/triggers/t/deliveries/{}", "0".repeat(32)),
            state: DeliveryState::Failed.into(),
            cause: DeliveryCause::ExecutionEnd.into(),
            reason: "NOT_ALLOWED".to_owned(),
            dead_letter: true,
            failure_count: 3,
            create_time: Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 }),
            ..Delivery::default()
        };
        let holds = |filter: &str| Wanted::parse(filter).unwrap().has(&delivery);
        for filter in [
            "",
            "*",
            "state = failed AND cause = execution_end",
            "trigger = t",
            "dead_letter = true AND reason = NOT_ALLOWED",
            "failure_count > 2",
            "create_time > \"2027-01-01T00:00:00Z\"",
            "not_allowed",
        ] {
            assert!(holds(filter), "{filter}");
        }
        for filter in
            ["state = started", "trigger = u", "dead_letter = false", "start_time > \"2027-01-01T00:00:00Z\""]
        {
            assert!(!holds(filter), "{filter}");
        }
        assert!(Wanted::parse("body = 1").is_err());
    }

    #[test]
    fn only_the_dead_are_read_where_no_others_can_match() {
        for filter in [
            "dead_letter = true",
            " dead_letter=true ",
            "dead_letter = true AND state = failed OR reason = A",
        ] {
            assert!(Wanted::parse(filter).unwrap().only_dead, "{filter}");
        }
        for filter in [
            "",
            "*",
            "dead_letter = false",
            "dead_letter = true OR state = failed",
            "dead_letter = trueAND x",
            "NOT dead_letter = true",
            "state = failed",
        ] {
            assert!(!Wanted::parse(filter).unwrap().only_dead, "{filter}");
        }
    }
}
