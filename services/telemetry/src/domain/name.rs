//! Names of resources.

/// The project's id in `projects/{project}`, whose form validation has checked.
pub(crate) fn project(parent: &str) -> &str {
    parent.strip_prefix("projects/").unwrap_or(parent).split('/').next().unwrap_or_default()
}
