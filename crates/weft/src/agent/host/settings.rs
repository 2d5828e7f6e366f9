//! What people may see of this host and do to it: what is written here, and the least where nothing is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The `[host]` of `agent.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HostSettings {
    /// Whether people see which processes run here. If nothing is written: on the mesh's own host, and on no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processes: Option<bool>,
    /// Whether they see which ports are open, and whose they are. If nothing is written: as with processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ports: Option<bool>,
    /// Whether they see processes' arguments as well, in which secrets may be.
    pub(crate) command_lines: bool,
    /// Whether operators may end processes: those that the agent's user may end.
    pub(crate) stop_processes: bool,
    /// Whole paths of programs that services which operators add may run; none if empty.
    pub(crate) service_programs: Vec<PathBuf>,
}

/// What is allowed in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is allowed or not by itself")]
pub(super) struct Allowed {
    pub(super) processes: bool,
    pub(super) ports: bool,
    pub(super) command_lines: bool,
    pub(super) stop_processes: bool,
}

/// What else there is to be asked about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Has {
    pub(super) services: bool,
    /// Folders with knowledge files,
    pub(super) knowledge: bool,
    /// and some of which texts may be read.
    pub(super) content: bool,
}

impl HostSettings {
    /// Whether nobody has written anything: then it is left to whoever does.
    pub(crate) fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn allowed(&self, is_own_host: bool) -> Allowed {
        Allowed {
            processes: self.processes.unwrap_or(is_own_host),
            ports: self.ports.unwrap_or(is_own_host),
            command_lines: self.command_lines,
            stop_processes: self.stop_processes,
        }
    }
}

impl Allowed {
    /// As capabilities: `host` says that this program can be asked, the others what it will answer.
    pub(super) fn capabilities(self, has: Has) -> Vec<String> {
        let named = [
            (true, "host"),
            (self.processes, "host:processes"),
            (self.ports, "host:ports"),
            (self.stop_processes, "host:stop-process"),
            (has.services, "host:services"),
            (has.knowledge, "host:knowledge"),
            (has.content, "host:knowledge-content"),
        ];
        named.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_allowed_and_a_mesh_shows_its_own_host() {
        let nothing = HostSettings::default();
        let none = Has::default();
        assert_eq!(nothing.allowed(false).capabilities(none), ["host"]);
        let services = Has { services: true, ..none };
        assert_eq!(nothing.allowed(false).capabilities(services), ["host", "host:services"]);
        let notes = Has { knowledge: true, content: true, ..none };
        assert_eq!(
            nothing.allowed(false).capabilities(notes),
            ["host", "host:knowledge", "host:knowledge-content"]
        );
        assert_eq!(nothing.allowed(true).capabilities(none), ["host", "host:processes", "host:ports"]);
        let written: HostSettings =
            toml::from_str("processes = false\nstop_processes = true").expect("it is right");
        assert_eq!(written.allowed(true).capabilities(none), ["host", "host:ports", "host:stop-process"]);
    }
}
