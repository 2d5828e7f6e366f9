//! Names of agents and of enrolment tokens.

/// The project in `projects/{project}`.
pub(crate) fn project(parent: &str) -> &str {
    parent.strip_prefix("projects/").unwrap_or_default()
}

/// Project and id in `projects/{project}/agents/{agent}`. The contract has checked the form.
pub(crate) fn agent(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/agents/")
}

/// Project and id in `projects/{project}/enrollmentTokens/{token}`.
pub(crate) fn token(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("projects/")?.split_once("/enrollmentTokens/")
}

/// The agent's name in that of a service of its host.
pub(crate) fn agent_of(service: &str) -> String {
    service.split_once("/services/").map_or(service, |(agent, _)| agent).to_owned()
}

/// Whether it has the form of a service's name.
pub(crate) fn is_service(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts[..], ["projects", _, "agents", _, "services", _])
        && parts.iter().all(|part| !part.is_empty())
}

/// The name of an agent.
pub(crate) fn of_agent(project: &str, id: &str) -> String {
    format!("projects/{project}/agents/{id}")
}

/// The name of an enrolment token.
pub(crate) fn of_token(project: &str, id: &str) -> String {
    format!("projects/{project}/enrollmentTokens/{id}")
}

/// An id made of a host's name: its first part, in letters that an id may have; `agent` where none is left.
pub(crate) fn slug(hostname: &str) -> String {
    let first = hostname.split('.').next().unwrap_or_default().to_lowercase();
    let letters: String = first
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(48)
        .collect();
    let slug = letters.trim_matches('-');
    if slug.is_empty() { "agent".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_make_ids() {
        for (hostname, id) in [
            ("node7.example.org", "node7"),
            ("DB_01", "db-01"),
            ("--", "agent"),
            ("", "agent"),
            ("Müller", "m-ller"),
        ] {
            assert_eq!(slug(hostname), id);
        }
        assert_eq!(slug(&"x".repeat(200)).len(), 48);
    }
}
