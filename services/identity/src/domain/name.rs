//! Names of API keys.

/// Project and id in `projects/{project}/apiKeys/{key}`. The contract has checked the form.
pub(crate) fn parse(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/apiKeys/")
}

/// The project in `projects/{project}`.
pub(crate) fn project(parent: &str) -> Option<&str> {
    parent.strip_prefix("projects/")
}

/// The name of a key.
pub(crate) fn format(project: &str, id: &str) -> String {
    format!("projects/{project}/apiKeys/{id}")
}
