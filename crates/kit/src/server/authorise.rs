//! May this caller call this method on this resource? As the contract says, and nothing else.

use tonic::Status;
use weft_proto::{Method, weft::options::v1::Access};

use crate::{Caller, CallerKind, MESH_PROJECT, Problem, Role, project_of};

/// Whether `caller` may call `method`; `resource` is the name in the request that the method's
/// policy is about. Methods without a policy (health, reflection) are open to all.
///
/// Who is signed in is asked first: nobody is UNAUTHENTICATED whatever the method asks for, so that
/// PERMISSION_DENIED always means that another credential is needed, not that one is missing.
///
/// # Errors
/// UNAUTHENTICATED or PERMISSION_DENIED, with a reason.
pub fn authorise(method: &Method, caller: &Caller, resource: Option<&str>) -> Result<(), Status> {
    let Some(policy) = &method.policy else { return Ok(()) };
    if policy.access() == Access::Public {
        return Ok(());
    }
    if caller.kind == CallerKind::Nobody {
        return Err(Problem::unauthenticated(
            "CREDENTIALS_REQUIRED",
            "this needs a credential: send `authorization: Bearer` and a token or an API key",
        )
        .into());
    }
    let needed = match policy.access() {
        Access::Public | Access::Authenticated => None,
        Access::Viewer => Some(Role::Viewer),
        Access::Operator => Some(Role::Operator),
        Access::Admin => Some(Role::Admin),
        Access::Mesh if caller.kind == CallerKind::Mesh => return Ok(()),
        Access::Mesh => {
            return Err(
                Problem::permission_denied("MESH_ONLY", "only processes of the mesh may call this").into()
            );
        }
        // The build refuses such a contract; a foreign one is refused here.
        Access::Unspecified => {
            return Err(Problem::permission_denied("NO_POLICY", "nothing says who may call this").into());
        }
    };
    if !caller.has_scope(&policy.scope) {
        return Err(Problem::permission_denied(
            "SCOPE_REQUIRED",
            format!("this needs the scope {}", policy.scope),
        )
        .with("scope", &policy.scope)
        .into());
    }
    let Some(needed) = needed else { return Ok(()) };
    let field = &policy.resource_field;
    // No contract of ours asks for a role without saying where. A stranger's methods are about nothing of
    // the mesh, so that its own project is the place.
    let nowhere = field.is_empty().then_some(MESH_PROJECT);
    let project = nowhere.or_else(|| resource.and_then(project_of)).ok_or_else(|| {
        Status::from(Problem::bad_field(
            field.as_str(),
            "must be the name of a resource in a project: projects/{project}/…",
        ))
    })?;
    if caller.role_in(project) >= needed {
        return Ok(());
    }
    let role = word(needed);
    Err(Problem::permission_denied(
        "ROLE_REQUIRED",
        format!("this needs the role {role} in projects/{project}"),
    )
    .with("role", role)
    .with("project", format!("projects/{project}"))
    .into())
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Unspecified => "none",
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// What the methods with this access answer a caller, about a project that is not the caller's.
    fn answers(access: Access, caller: &Caller) -> Vec<Option<Code>> {
        let of = |method: &&Method| method.policy.as_ref().is_some_and(|policy| policy.access() == access);
        let mut codes: Vec<_> = weft_proto::methods()
            .iter()
            .filter(of)
            .map(|method| authorise(method, caller, Some("projects/p")).err().map(|refusal| refusal.code()))
            .collect();
        codes.dedup();
        codes
    }

    #[test]
    fn nobody_is_told_to_sign_in_and_anybody_else_what_is_missing() {
        let nobody = Caller::nobody();
        let stranger = Caller { kind: CallerKind::Principal, ..Caller::nobody() };
        let mesh = Caller::mesh("graph");
        assert_eq!(answers(Access::Public, &nobody), [None]);
        for access in [Access::Authenticated, Access::Viewer, Access::Operator, Access::Admin, Access::Mesh] {
            assert_eq!(answers(access, &nobody), [Some(Code::Unauthenticated)], "{access:?}");
        }
        assert_eq!(answers(Access::Authenticated, &stranger), [None]);
        for access in [Access::Viewer, Access::Operator, Access::Admin, Access::Mesh] {
            assert_eq!(answers(access, &stranger), [Some(Code::PermissionDenied)], "{access:?}");
        }
        assert_eq!(answers(Access::Mesh, &mesh), [None]);
    }
}
