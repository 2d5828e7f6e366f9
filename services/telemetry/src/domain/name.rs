//! Names of resources.

/// Project and id in `projects/{project}/alertRules/{alert_rule}`, whose form validation has checked.
pub(crate) fn alert_rule(full: &str) -> (&str, &str) {
    split(full, "/alertRules/")
}

/// Project and id in `projects/{project}/silences/{silence}`.
pub(crate) fn silence(full: &str) -> (&str, &str) {
    split(full, "/silences/")
}

fn split<'n>(full: &'n str, collection: &str) -> (&'n str, &'n str) {
    full.strip_prefix("projects/").and_then(|rest| rest.split_once(collection)).unwrap_or_default()
}

/// The name of a rule.
pub(crate) fn of_alert_rule(project: &str, id: &str) -> String {
    format!("projects/{project}/alertRules/{id}")
}

/// The name of a silence.
pub(crate) fn of_silence(project: &str, id: &str) -> String {
    format!("projects/{project}/silences/{id}")
}

/// The last part of a name.
pub(crate) fn last(full: &str) -> &str {
    full.rsplit('/').next().unwrap_or_default()
}

/// The project's id in `projects/{project}`, whose form validation has checked.
pub(crate) fn project(parent: &str) -> &str {
    parent.strip_prefix("projects/").unwrap_or(parent).split('/').next().unwrap_or_default()
}
