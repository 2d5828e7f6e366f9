//! Triggers: what can be one, and as clients see it.

use weft_expression::{Expression, Template};
use weft_kit::{Ids, Role, json, span};
use weft_proto::weft::trigger::v1::{
    ExecutionEndSource, GraphChangeSource, ScheduleSource, Trigger, WebhookProvider, WebhookSource,
    trigger::Source,
};
use weft_store::{StoreError, TriggerRow};

use super::{
    event::VARIABLES,
    kept::{KeptTrigger, Rights},
    name,
    schedule::Schedule,
    webhook,
};
use crate::{Error, seal::Seal};

/// Largest input, in bytes.
const LARGEST_INPUT: usize = 64 << 10;
/// Microseconds.
const SECOND: i64 = 1_000_000;

/// What is needed to look at a trigger and to keep it.
pub(crate) struct Keeper<'k> {
    pub(crate) seal: &'k Seal,
    pub(crate) ids: &'k Ids,
    /// Its project.
    pub(crate) project: &'k str,
    /// When it was created.
    pub(crate) created: i64,
}

impl Keeper<'_> {
    /// What is kept of a trigger, if it can be one. A webhook that brings no secrets keeps those that are known.
    ///
    /// # Errors
    /// The field that is wrong.
    pub(crate) fn checked(
        &self,
        trigger: Trigger,
        known: &KeptTrigger,
        rights: Rights,
    ) -> Result<KeptTrigger, Error> {
        if name::project(&trigger.graph) != self.project {
            return Err(Error::field("trigger.graph", "must be of the same project"));
        }
        compile(&trigger)?;
        let (source, secrets) = match trigger.source {
            Some(Source::Webhook(webhook)) => {
                let secrets = self.webhook(&webhook, known)?;
                (
                    Source::Webhook(WebhookSource { secrets: Vec::new(), path: String::new(), ..webhook }),
                    secrets,
                )
            }
            Some(Source::Schedule(schedule)) => {
                read_schedule(&schedule, self.created)?;
                (Source::Schedule(ScheduleSource { next_time: None, ..schedule }), Vec::new())
            }
            Some(Source::ExecutionEnd(end)) => {
                self.execution_end(&end, &trigger.graph)?;
                (Source::ExecutionEnd(end), Vec::new())
            }
            Some(Source::GraphChange(change)) => {
                self.graph_change(&change)?;
                (Source::GraphChange(change), Vec::new())
            }
            Some(Source::Alert(alert)) => {
                if !alert.alert_rule.is_empty() && name::project(&alert.alert_rule) != self.project {
                    return Err(Error::field("trigger.alert.alert_rule", "must be of the same project"));
                }
                (Source::Alert(alert), Vec::new())
            }
            // A topic is a name in the trigger's own project: the contract has checked it.
            Some(Source::Message(message)) => (Source::Message(message), Vec::new()),
            None => {
                return Err(Error::field("trigger.source", "give a webhook, a schedule, or what it watches"));
            }
        };
        let trigger = Trigger {
            name: String::new(),
            uid: String::new(),
            creator: String::new(),
            create_time: None,
            update_time: None,
            etag: String::new(),
            source: Some(source),
            ..trigger
        };
        Ok(KeptTrigger {
            trigger: Some(trigger),
            secrets,
            rights: Some(rights),
            generation: known.generation,
        })
    }

    fn execution_end(&self, source: &ExecutionEndSource, runs: &str) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::field("trigger.execution_end.graph", problem));
        if !source.graph.is_empty() && name::project(&source.graph) != self.project {
            return wrong("must be of the same project");
        }
        if source.graph == runs && !source.include_own_runs {
            return wrong("is what the trigger runs: no end counts without include_own_runs");
        }
        Ok(())
    }

    fn graph_change(&self, source: &GraphChangeSource) -> Result<(), Error> {
        if name::project(&source.graph) != self.project {
            return Err(Error::field("trigger.graph_change.graph", "must be of the same project"));
        }
        match &source.debounce_duration {
            Some(span) if !(SECOND..=3_600 * SECOND).contains(&span::micros(span)) => {
                Err(Error::field("trigger.graph_change.debounce_duration", "must be a second to an hour"))
            }
            _ => Ok(()),
        }
    }

    fn webhook(&self, source: &WebhookSource, known: &KeptTrigger) -> Result<Vec<Vec<u8>>, Error> {
        let provider = source.provider();
        let wrong = |field: &str, problem: &str| Error::field(format!("trigger.webhook.{field}"), problem);
        let within = |field: &str, span: &Option<prost_types::Duration>, most: i64, words: &str| match span {
            Some(span) if !(SECOND..=most * SECOND).contains(&span::micros(span)) => Err(wrong(field, words)),
            _ => Ok(()),
        };
        within("tolerance", &source.tolerance, 3_600, "must be a second to an hour")?;
        within("wait_duration", &source.wait_duration, 60, "must be a second to a minute")?;
        if source.hmac.is_some() != (provider == WebhookProvider::Hmac) {
            return Err(wrong("hmac", "is for that provider, which needs it"));
        }
        if source.username.is_empty() == (provider == WebhookProvider::Basic) || source.username.contains(':')
        {
            return Err(wrong("username", "is for basic, which needs one without a colon"));
        }
        match provider {
            WebhookProvider::Unspecified => {
                return Err(wrong("provider", "say who calls; NONE if it may be anybody"));
            }
            WebhookProvider::None if source.secrets.is_empty() => return Ok(Vec::new()),
            _ => {}
        }
        if source.secrets.is_empty() {
            let kept = match known.trigger.as_ref().and_then(|trigger| trigger.source.as_ref()) {
                // Of another provider they would be something else.
                Some(Source::Webhook(before)) if before.provider() == provider => known.secrets.clone(),
                _ => Vec::new(),
            };
            return if kept.is_empty() {
                Err(wrong("secrets", "are needed for this provider"))
            } else {
                Ok(kept)
            };
        }
        let seal = |secret: &String| {
            let key = webhook::key_of(provider, secret).map_err(|problem| wrong("secrets", problem))?;
            Ok(self.seal.seal(&key, self.ids.bytes()))
        };
        source.secrets.iter().map(seal).collect()
    }
}

/// What is compiled of a trigger: what its runs are given, and what must hold.
pub(crate) fn compile(trigger: &Trigger) -> Result<(Option<Template>, Option<Expression>), Error> {
    let input = match &trigger.input {
        None => None,
        Some(input) => {
            if prost::Message::encoded_len(input) > LARGEST_INPUT {
                return Err(Error::field("trigger.input", format!("has more than {LARGEST_INPUT} bytes")));
            }
            let value = json::of_struct(input);
            if json::is_too_deep(&value) {
                return Err(Error::field("trigger.input", "is nested too deep"));
            }
            let mut wrong = None;
            let template = Template::compile(&value, "trigger.input", VARIABLES, &mut |path, problem| {
                wrong.get_or_insert_with(|| Error::field(path, problem));
            });
            if let Some(error) = wrong {
                return Err(error);
            }
            Some(template)
        }
    };
    let condition = match trigger.condition.as_str() {
        "" => None,
        text => {
            let compiled = Expression::compile(text, VARIABLES);
            Some(compiled.map_err(|problem| Error::field("trigger.condition", problem))?)
        }
    };
    Ok((input, condition))
}

/// A schedule that ticks.
pub(crate) fn read_schedule(source: &ScheduleSource, created: i64) -> Result<Schedule, Error> {
    Schedule::read(source, created)
        .map_err(|(field, problem)| Error::field(format!("trigger.schedule.{field}"), problem))
}

/// The schedule of a trigger, if it has one.
pub(crate) fn schedule_of(trigger: &Trigger, created: i64) -> Result<Option<Schedule>, Error> {
    match &trigger.source {
        Some(Source::Schedule(source)) => Ok(Some(read_schedule(source, created)?)),
        _ => Ok(None),
    }
}

/// A trigger of the store as clients see it. The address of a webhook is shown to Operators.
pub(crate) fn shown(row: &TriggerRow, kept: KeptTrigger, role: Role, seal: &Seal) -> Trigger {
    let mut trigger = kept.trigger.unwrap_or_default();
    match &mut trigger.source {
        Some(Source::Webhook(webhook)) if role >= Role::Operator => {
            webhook.path = format!("/hooks/{}", seal.token(row.uid, kept.generation));
        }
        Some(Source::Schedule(schedule)) => {
            schedule.next_time = row.next.map(Into::into);
        }
        _ => {}
    }
    Trigger {
        name: name::of_trigger(&row.project, &row.id),
        uid: row.uid.to_string(),
        creator: kept.rights.map(|rights| rights.creator).unwrap_or_default(),
        create_time: Some(row.created.into()),
        update_time: Some(row.updated.into()),
        etag: row.version.to_string(),
        ..trigger
    }
}

/// The same, of what was not read yet.
pub(crate) fn read(row: &TriggerRow, role: Role, seal: &Seal) -> Result<Trigger, StoreError> {
    Ok(shown(row, KeptTrigger::read(row)?, role, seal))
}
