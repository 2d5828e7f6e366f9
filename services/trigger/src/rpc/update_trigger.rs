//! UpdateTrigger, and what changes a trigger besides.

use bytes::Bytes;
use prost::Message;
use weft_kit::{Call, Caller};
use weft_proto::weft::trigger::v1::{Trigger, UpdateTriggerRequest, trigger::Source};
use weft_store::{StoreError, TriggerRow, TriggerUpdate, Written};

use super::{create_trigger, get_trigger};
use crate::{
    Error,
    domain::{
        kept::{KeptTrigger, Rights},
        name, trigger,
    },
    state::{State, may_start},
    watch::begin,
};

/// How often a change is tried again because somebody else was faster.
const TRIES: usize = 8;

pub(crate) async fn handle(state: &State, call: Call<UpdateTriggerRequest>) -> Result<Trigger, Error> {
    let wanted = call.message.trigger.unwrap_or_default();
    let paths = call.message.update_mask.map(|mask| mask.paths).unwrap_or_default();
    let full = wanted.name.clone();
    let project = name::project(&full).to_owned();
    may_start(&call.caller, &project)?;
    change(state, &call.caller, &full, &wanted.etag, |row, known| {
        let rights = Rights::of(&call.caller, &project);
        let trigger = changed(&known.trigger.clone().unwrap_or_default(), &wanted, &paths)?;
        state.keeper(&project, row.created).checked(trigger, known, rights)
    })
    .await
}

/// Changes a trigger as `change` says.
pub(super) async fn change(
    state: &State,
    caller: &Caller,
    full: &str,
    etag: &str,
    change: impl Fn(&TriggerRow, &KeptTrigger) -> Result<KeptTrigger, Error>,
) -> Result<Trigger, Error> {
    let mut tries = 0;
    loop {
        let row = get_trigger::row(state, full).await?;
        if !etag.is_empty() && etag != row.version.to_string() {
            return Err(Error::EtagMismatch(full.to_owned()));
        }
        let known = KeptTrigger::read(&row)?;
        let kept = change(&row, &known)?;
        if kept == known {
            return Ok(trigger::shown(&row, kept, caller.role_in(&row.project), &state.seal));
        }
        let place = if begins_anew(&known, &kept) { begin::place(state, caller, &kept).await? } else { None };
        let update = update(state, &row, (&known, &kept), place)?;
        match state.store.update_trigger(update, None).await {
            Err(StoreError::Stale { .. }) if tries < TRIES => tries += 1,
            Ok(Written::Done(new)) => {
                state.changed(&row).await;
                return Ok(trigger::shown(&new, kept, caller.role_in(&new.project), &state.seal));
            }
            Ok(Written::Replayed(_)) => {
                return Err(StoreError::Bug("nothing was remembered".to_owned()).into());
            }
            Err(error) => return Err(Error::of_trigger(full)(error)),
        }
    }
}

/// The row that a trigger becomes. The time of its next tick is another one only where its times are.
pub(super) fn update(
    state: &State,
    row: &TriggerRow,
    (known, kept): (&KeptTrigger, &KeptTrigger),
    place: Option<Bytes>,
) -> Result<TriggerUpdate, Error> {
    let now = state.now();
    let times = |kept: &KeptTrigger| {
        let trigger = kept.trigger.as_ref();
        trigger.map(|trigger| (trigger.source.clone(), trigger.paused))
    };
    let next =
        if times(known) == times(kept) { row.next } else { create_trigger::next(kept, row.created, now)? };
    Ok(TriggerUpdate {
        uid: row.uid,
        expected_version: row.version,
        token: create_trigger::token(state, row.uid, kept),
        settings: kept.encode_to_vec().into(),
        next,
        place,
        at: now,
    })
}

/// Whether what a trigger watches begins anew: it watches something else, or goes on after a pause.
fn begins_anew(known: &KeptTrigger, kept: &KeptTrigger) -> bool {
    let (Some(before), Some(now)) = (&known.trigger, &kept.trigger) else { return true };
    before.source != now.source || (before.paused && !now.paused)
}

/// Fields that can be changed, whether a trigger has them set, and how one takes another's.
type Field = (&'static str, fn(&Trigger) -> bool, fn(&mut Trigger, &Trigger));

const FIELDS: &[Field] = &[
    ("display_name", |t| !t.display_name.is_empty(), |t, w| t.display_name.clone_from(&w.display_name)),
    ("graph", |t| !t.graph.is_empty(), |t, w| t.graph.clone_from(&w.graph)),
    ("input", |t| t.input.is_some(), |t, w| t.input.clone_from(&w.input)),
    ("condition", |t| !t.condition.is_empty(), |t, w| t.condition.clone_from(&w.condition)),
    ("webhook", |t| matches!(t.source, Some(Source::Webhook(_))), |t, w| t.source.clone_from(&w.source)),
    ("schedule", |t| matches!(t.source, Some(Source::Schedule(_))), |t, w| t.source.clone_from(&w.source)),
    (
        "execution_end",
        |t| matches!(t.source, Some(Source::ExecutionEnd(_))),
        |t, w| t.source.clone_from(&w.source),
    ),
    (
        "graph_change",
        |t| matches!(t.source, Some(Source::GraphChange(_))),
        |t, w| t.source.clone_from(&w.source),
    ),
    ("message", |t| matches!(t.source, Some(Source::Message(_))), |t, w| t.source.clone_from(&w.source)),
    ("alert", |t| matches!(t.source, Some(Source::Alert(_))), |t, w| t.source.clone_from(&w.source)),
];

/// Those of them that are what makes it start something.
const SOURCES: &[&str] = &["webhook", "schedule", "execution_end", "graph_change", "alert", "message"];

fn changed(before: &Trigger, wanted: &Trigger, paths: &[String]) -> Result<Trigger, Error> {
    if let Some(path) =
        paths.iter().find(|path| *path != "*" && FIELDS.iter().all(|field| field.0 != path.as_str()))
    {
        return Err(Error::field("update_mask", format!("{path:?} cannot be changed")));
    }
    let mut now = before.clone();
    for (name, is_set, take) in FIELDS {
        let is_source = SOURCES.contains(name);
        let is_meant = if paths.is_empty() {
            is_set(wanted)
        } else {
            paths.iter().any(|path| path == name || (path == "*" && (!is_source || is_set(wanted))))
        };
        if is_meant {
            take(&mut now, wanted);
        }
    }
    if now.graph.is_empty() {
        return Err(Error::field("trigger.graph", "say what is run"));
    }
    let kind = |trigger: &Trigger| trigger.source.as_ref().map(std::mem::discriminant);
    if kind(&now) != kind(before) {
        return Err(Error::field("trigger.source", "stays what it is: only its settings can change"));
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use weft_proto::weft::trigger::v1::{ScheduleSource, WebhookSource};

    use super::*;

    #[test]
    fn a_mask_says_what_is_changed() {
        let before = Trigger {
            display_name: "old".into(),
            graph: "projects/p/graphs/g".into(),
            condition: "true".into(),
            source: Some(Source::Webhook(WebhookSource {
                username: "ada".into(),
                ..WebhookSource::default()
            })),
            ..Trigger::default()
        };
        let wanted = Trigger { display_name: "new".into(), ..Trigger::default() };
        let of = |wanted: &Trigger, paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            changed(&before, wanted, &paths)
        };
        let named = of(&wanted, &[]).unwrap();
        assert_eq!((&named.display_name[..], &named.condition[..]), ("new", "true"));
        let cleared = of(&wanted, &["condition"]).unwrap();
        assert_eq!((&cleared.display_name[..], &cleared.condition[..]), ("old", ""));
        assert!(of(&wanted, &["*"]).is_err(), "it would run nothing");
        assert!(of(&wanted, &["paused"]).is_err());
        assert!(of(&wanted, &["webhook"]).is_err());
        let other = Trigger { source: Some(Source::Schedule(ScheduleSource::default())), ..wanted };
        assert!(of(&other, &[]).is_err());
    }
}
