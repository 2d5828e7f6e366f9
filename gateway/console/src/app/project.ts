// Which project the person works in. The address has it where it matters; this
// remembers it between pages.
import { session } from "../auth/session";
import type { Principal } from "../gen/weft/identity/v1/identity_pb";
import { createStore } from "./store";

export const DEFAULT_PROJECT = "default";

export const currentProject = createStore(DEFAULT_PROJECT);

/** Projects that the caller's grants name; a grant on `mesh` holds everywhere. */
export function projectsOf(principal: Principal | null): string[] {
  const named = (principal?.grants ?? [])
    .map((grant) => grant.project.replace(/^projects\//, ""))
    .filter((project) => project && project !== "mesh");
  const everywhere = holdsEverywhere(principal) || named.length === 0;
  return [...new Set([...(everywhere ? [DEFAULT_PROJECT] : []), currentProject.get(), ...named])]
    .filter((project) => everywhere || named.includes(project))
    .sort();
}

export function holdsEverywhere(principal: Principal | null): boolean {
  return (principal?.grants ?? []).some((grant) => grant.project === "projects/mesh");
}

session.store.subscribe(() => {
  const { principal } = session.store.get();
  const projects = projectsOf(principal);
  if (principal && !projects.includes(currentProject.get()))
    currentProject.set(projects[0] ?? DEFAULT_PROJECT);
});
