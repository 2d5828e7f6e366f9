// May the caller call this method here? Read from the contracts' own policy
// option, so that a button and the server never disagree about a role.
import { getOption, type DescMethod } from "@bufbuild/protobuf";
import { type Principal, Role } from "../gen/weft/identity/v1/identity_pb";
import { Access, policy } from "../gen/weft/options/v1/options_pb";

const NEEDED: Partial<Record<Access, Role>> = {
  [Access.VIEWER]: Role.VIEWER,
  [Access.OPERATOR]: Role.OPERATOR,
  [Access.ADMIN]: Role.ADMIN,
};

export function roleIn(principal: Principal | null, project: string): Role {
  let role = Role.UNSPECIFIED;
  for (const grant of principal?.grants ?? []) {
    if (grant.project === `projects/${project}` || grant.project === "projects/mesh") {
      role = Math.max(role, grant.role);
    }
  }
  return role;
}

export function may(principal: Principal | null, method: DescMethod, project: string): boolean {
  const rule = getOption(method, policy);
  if (principal && principal.scopes.length > 0 && rule.scope && !principal.scopes.includes(rule.scope))
    return false;
  if (rule.access === Access.MESH) return false;
  return roleIn(principal, project) >= (NEEDED[rule.access] ?? Role.UNSPECIFIED);
}
