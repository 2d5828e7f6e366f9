//! Names of commands, targets, command types; and of queues, which are agents.

use weft_jobs::JobKey;

/// The project in `projects/{project}`.
pub(crate) fn project(parent: &str) -> &str {
    parent.strip_prefix("projects/").unwrap_or_default()
}

/// Project and id in `projects/{project}/commands/{command}`. The contract has checked the form.
pub(crate) fn command(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/commands/")
}

/// Project, command and id in `projects/{project}/commands/{command}/targets/{target}`.
pub(crate) fn target(name: &str) -> Option<(&str, &str, &str)> {
    let (project, rest) = command(name)?;
    let (command, target) = rest.split_once("/targets/")?;
    Some((project, command, target))
}

/// Project and id in `projects/{project}/commandTypes/{command_type}`.
pub(crate) fn command_type(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/commandTypes/")
}

/// Project and id in `projects/{project}/agents/{agent}`.
pub(crate) fn agent(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/agents/")
}

/// The name of a command.
pub(crate) fn of_command(project: &str, id: &str) -> String {
    format!("projects/{project}/commands/{id}")
}

/// The name of a command type.
pub(crate) fn of_type(project: &str, id: &str) -> String {
    format!("projects/{project}/commandTypes/{id}")
}

/// The queue of an agent. Its identity is in it, so that what was meant for an agent that was removed does not
/// reach another one of its name.
pub(crate) fn queue(agent: &str, uid: &str) -> String {
    format!("{agent}@{uid}")
}

/// The agent's name in the name of its queue.
pub(crate) fn of_queue(queue: &str) -> &str {
    queue.split_once('@').map_or(queue, |(agent, _)| agent)
}

/// What agents call a target.
pub(crate) fn lease_id(key: JobKey) -> String {
    format!("{:x}.{:x}", key.batch, key.number)
}

/// Which target an agent means.
pub(crate) fn lease_key(id: &str) -> Option<JobKey> {
    let (batch, number) = id.split_once('.')?;
    let batch = i64::from_str_radix(batch, 16).ok()?;
    Some(JobKey { batch, number: u32::from_str_radix(number, 16).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_can_be_read() {
        let key = JobKey { batch: (7 << 40) + 12, number: 9_999 };
        assert_eq!(lease_key(&lease_id(key)), Some(key));
        assert_eq!(lease_key("x"), None);
        assert_eq!(of_queue(&queue("projects/p/agents/a", "u")), "projects/p/agents/a");
        assert_eq!(target("projects/p/commands/c/targets/a"), Some(("p", "c", "a")));
    }
}
