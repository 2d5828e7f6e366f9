//! Names of triggers and deliveries.

use uuid::Uuid;

/// The project in `projects/{project}`, and in every name below it.
pub(crate) fn project(name: &str) -> &str {
    weft_kit::project_of(name).unwrap_or_default()
}

/// Project and id in `projects/{project}/triggers/{trigger}`, whose form validation has checked.
pub(crate) fn trigger(name: &str) -> (&str, &str) {
    name.strip_prefix("projects/").and_then(|rest| rest.split_once("/triggers/")).unwrap_or_default()
}

/// The trigger and the identity in `projects/{project}/triggers/{trigger}/deliveries/{delivery}`.
pub(crate) fn delivery(name: &str) -> Option<(&str, Uuid)> {
    let (trigger, id) = name.split_once("/deliveries/")?;
    Some((trigger, Uuid::try_parse(id).ok()?))
}

/// The name of a trigger.
pub(crate) fn of_trigger(project: &str, id: &str) -> String {
    format!("projects/{project}/triggers/{id}")
}

/// The name of a delivery.
pub(crate) fn of_delivery(trigger: &str, id: Uuid) -> String {
    format!("{trigger}/deliveries/{}", id.simple())
}
