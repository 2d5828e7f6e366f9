//! Names of executions, steps and topics.

/// The project in `projects/{project}`.
pub(crate) fn project(parent: &str) -> &str {
    parent.strip_prefix("projects/").unwrap_or_default()
}

/// Project and id in `projects/{project}/graphs/{graph}`.
pub(crate) fn graph(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/graphs/")
}

/// Project and id in `projects/{project}/executions/{execution}`. The contract has checked the form.
pub(crate) fn execution(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/executions/")
}

/// The execution and the number in `projects/{project}/executions/{execution}/steps/{step}`.
pub(crate) fn step(name: &str) -> Option<(&str, u32)> {
    let (execution, number) = name.split_once("/steps/")?;
    Some((execution, number.parse().ok()?))
}

/// The id that an execution without a chosen one has.
pub(crate) fn made_up(id: i64) -> String {
    format!("x{id:x}")
}

/// The number in an id that was made up.
pub(crate) fn number(id: &str) -> Option<i64> {
    let digits = id.strip_prefix('x')?;
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if digits.is_empty() || !is_hexadecimal || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    i64::from_str_radix(digits, 16).ok()
}

/// Whether an id looks like one that is made up.
pub(crate) fn looks_made_up(id: &str) -> bool {
    let digits = id.strip_prefix('x').unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The name of an execution.
pub(crate) fn of_execution(project: &str, id: &str) -> String {
    format!("projects/{project}/executions/{id}")
}

/// The name of a worker.
pub(crate) fn of_worker(project: &str, uid: uuid::Uuid) -> String {
    format!("projects/{project}/workers/{uid}")
}

/// Project and id in `projects/{project}/runLimits/{run_limit}`. The contract has checked the form.
pub(crate) fn run_limit(name: &str) -> (&str, &str) {
    let parts = name.strip_prefix("projects/").and_then(|name| name.split_once("/runLimits/"));
    parts.unwrap_or_default()
}

/// The name of a limit of runs.
pub(crate) fn of_run_limit(project: &str, id: &str) -> String {
    format!("projects/{project}/runLimits/{id}")
}

/// Whether a text can be the id of a resource.
pub(crate) fn is_id(text: &str) -> bool {
    let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().zip(bytes.last()).is_some_and(|(first, last)| is_end(*first) && is_end(*last))
        && bytes.iter().all(|byte| is_end(*byte) || *byte == b'-')
}

/// Whether a text can name a topic, or a queue of tasks: the rule of the contracts.
pub(crate) fn is_dotted(text: &str) -> bool {
    let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    bytes.len() <= 100
        && ends.is_some_and(|(first, last)| is_end(*first) && is_end(*last))
        && bytes.iter().all(|byte| is_end(*byte) || matches!(byte, b'-' | b'.'))
}

/// The name of a topic.
pub(crate) fn of_topic(project: &str, topic: &str) -> String {
    format!("projects/{project}/topics/{topic}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_told_from_what_is_none() {
        let (longest, longer) = ("x".repeat(100), "x".repeat(101));
        for topic in ["a", "orders", "orders.paid", "eu-1.orders.paid", "7", &longest] {
            assert!(is_dotted(topic), "{topic}");
        }
        for other in ["", "-a", "a.", ".", "Orders", "a b", "a/b", "ä", &longer] {
            assert!(!is_dotted(other), "{other}");
        }
    }

    #[test]
    fn what_is_made_can_be_read() {
        let id = (3 << 40) + 77;
        assert_eq!(number(&made_up(id)), Some(id));
        for other in ["x", "orders", "x0g", "7f", "x01", "xffffffffffffffffff"] {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(step("projects/p/executions/e/steps/12"), Some(("projects/p/executions/e", 12)));
    }
}
