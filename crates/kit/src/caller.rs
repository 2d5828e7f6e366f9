//! Who is calling, and what that allows.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

pub use weft_proto::weft::identity::v1::Role;

/// The project whose roles hold in every project.
pub const MESH_PROJECT: &str = "mesh";

/// Who is calling. Every handler gets one; the runtime made sure that it may call. Cheap to clone: each
/// call has its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Resource name: `projects/p/apiKeys/k`, `services/compute`; empty for nobody.
    pub name: Arc<str>,
    /// Name for people.
    pub display_name: Arc<str>,
    /// What kind of caller.
    pub kind: CallerKind,
    /// Roles by project id (not name).
    pub grants: Arc<[(String, Role)]>,
    /// Scopes that narrow the roles; empty: not narrowed.
    pub scopes: Arc<[String]>,
    /// From when on the credential is refused.
    pub expires: Option<SystemTime>,
    /// Where the call came from, if it came over a socket.
    pub address: Option<IpAddr>,
}

/// What kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// Not signed in.
    Nobody,
    /// A person or a program with a credential.
    Principal,
    /// Another process of this mesh.
    Mesh,
}

impl Caller {
    /// A caller without a credential.
    pub fn nobody() -> Self {
        Self {
            name: Arc::from(""),
            display_name: Arc::from("nobody"),
            kind: CallerKind::Nobody,
            grants: Arc::default(),
            scopes: Arc::default(),
            expires: None,
            address: None,
        }
    }

    /// A process of this mesh, by the name of its service.
    pub fn mesh(service: &str) -> Self {
        Self {
            name: Arc::from(format!("services/{service}")),
            display_name: Arc::from(service),
            kind: CallerKind::Mesh,
            ..Self::nobody()
        }
    }

    /// The role in a project (its id), from a grant there or in the project `mesh`. Processes of
    /// the mesh are administrators everywhere.
    pub fn role_in(&self, project: &str) -> Role {
        match self.kind {
            CallerKind::Nobody => Role::Unspecified,
            CallerKind::Mesh => Role::Admin,
            CallerKind::Principal => self
                .grants
                .iter()
                .filter(|(granted, _)| granted == project || granted == MESH_PROJECT)
                .map(|(_, role)| *role)
                .max()
                .unwrap_or(Role::Unspecified),
        }
    }

    /// Whether the scopes allow what a method asks for; no scopes, or none asked for: yes.
    pub fn has_scope(&self, scope: &str) -> bool {
        scope.is_empty() || self.scopes.is_empty() || self.scopes.iter().any(|held| held == scope)
    }
}

/// The project's id in a resource name: `p` in `projects/p/graphs/g`.
pub fn project_of(resource_name: &str) -> Option<&str> {
    resource_name.strip_prefix("projects/")?.split('/').next().filter(|project| !project.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(grants: &[(&str, Role)]) -> Caller {
        Caller {
            kind: CallerKind::Principal,
            grants: grants.iter().map(|(project, role)| ((*project).to_owned(), *role)).collect(),
            ..Caller::nobody()
        }
    }

    #[test]
    fn the_highest_role_of_project_and_mesh_counts() {
        let caller = principal(&[("p", Role::Operator), ("mesh", Role::Viewer)]);
        assert_eq!(caller.role_in("p"), Role::Operator);
        assert_eq!(caller.role_in("q"), Role::Viewer);
        assert_eq!(principal(&[("p", Role::Admin)]).role_in("q"), Role::Unspecified);
        assert_eq!(Caller::nobody().role_in("p"), Role::Unspecified);
        assert_eq!(Caller::mesh("compute").role_in("p"), Role::Admin);
    }

    #[test]
    fn scopes_narrow() {
        let mut caller = principal(&[("p", Role::Admin)]);
        assert!(caller.has_scope("graph.write"));
        caller.scopes = Arc::from(["graph.read".to_owned()]);
        assert!(caller.has_scope("graph.read"));
        assert!(!caller.has_scope("graph.write"));
    }

    #[test]
    fn finds_the_project_of_a_name() {
        assert_eq!(project_of("projects/p/graphs/g"), Some("p"));
        assert_eq!(project_of("projects/p"), Some("p"));
        assert_eq!(project_of("projects/"), None);
        assert_eq!(project_of("graphs/p"), None);
    }
}
