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

/// The agent's name in that of something of its host: a service, a knowledge file.
pub(crate) fn agent_of(name: &str) -> String {
    name.split('/').take(4).collect::<Vec<_>>().join("/")
}

/// Whether it has the form of a knowledge file's name.
pub(crate) fn is_knowledge_file(name: &str) -> bool {
    matches!(name.split('/').collect::<Vec<_>>()[..], ["projects", _, "agents", _, "knowledgeFiles", _])
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
    fn what_is_of_a_host_names_its_agent() {
        for rest in ["", "/services/web", "/knowledgeFiles/0a"] {
            assert_eq!(agent_of(&format!("projects/p/agents/services{rest}")), "projects/p/agents/services");
        }
        assert!(is_knowledge_file("projects/p/agents/a/knowledgeFiles/0a"));
        assert!(!is_knowledge_file("projects/p/agents/a/services/knowledgeFiles"));
    }

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
