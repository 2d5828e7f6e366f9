//! Nobody can give away more than they hold.

use weft_kit::{Caller, Role};

use crate::Error;

/// Whether `caller` may create a key with this role and these scopes in `project`.
pub(crate) fn may_give(caller: &Caller, project: &str, role: Role, scopes: &[String]) -> Result<(), Error> {
    if role > caller.role_in(project) {
        return Err(Error::MoreThanHeld(
            "a key cannot have a higher role than its creator has in the project".into(),
        ));
    }
    if caller.scopes.is_empty() {
        return Ok(());
    }
    if scopes.is_empty() {
        return Err(Error::MoreThanHeld("a creator narrowed to scopes must name the key's scopes".into()));
    }
    match scopes.iter().find(|scope| !caller.scopes.contains(scope)) {
        Some(scope) => Err(Error::MoreThanHeld(format!("the creator does not hold the scope {scope}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use weft_kit::CallerKind;

    use super::*;

    fn caller(role: Role, scopes: &[&str]) -> Caller {
        Caller {
            kind: CallerKind::Principal,
            grants: [("p".to_owned(), role)].into(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..Caller::nobody()
        }
    }

    #[test]
    fn roles_and_scopes_bound_what_is_given() {
        let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(may_give(&caller(Role::Admin, &[]), "p", Role::Admin, &[]).is_ok());
        assert!(may_give(&caller(Role::Operator, &[]), "p", Role::Admin, &[]).is_err());
        assert!(may_give(&caller(Role::Admin, &[]), "q", Role::Viewer, &[]).is_err());
        let narrow = caller(Role::Admin, &["graph.read", "identity.write"]);
        assert!(may_give(&narrow, "p", Role::Viewer, &scopes(&["graph.read"])).is_ok());
        assert!(may_give(&narrow, "p", Role::Viewer, &[]).is_err());
        assert!(may_give(&narrow, "p", Role::Viewer, &scopes(&["graph.write"])).is_err());
    }
}
