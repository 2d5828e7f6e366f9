import { useEffect } from "react";
import { useStore } from "../app/store";
import { theme, type ThemeChoice } from "../app/theme";
import { session } from "../auth/session";
import { Role } from "../gen/weft/identity/v1/identity_pb";
import { when } from "../ui/format";

const CHOICES: readonly [ThemeChoice, string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function GeneralPage() {
  const { choice } = useStore(theme.store);
  const { principal, expiresAt } = useStore(session.store);
  useEffect(() => {
    document.title = "Settings · weft";
  }, []);
  return (
    <div className="stack">
      <section className="card" aria-labelledby="appearance">
        <h2 id="appearance">Appearance</h2>
        <fieldset className="segments">
          <legend className="hidden-text">Theme</legend>
          {CHOICES.map(([value, label]) => (
            <label key={value} className="segment" data-active={choice === value}>
              <input
                type="radio"
                name="theme"
                checked={choice === value}
                onChange={() => theme.choose(value)}
              />
              {label}
            </label>
          ))}
        </fieldset>
      </section>
      <section className="card" aria-labelledby="who">
        <h2 id="who">Who you are</h2>
        <dl className="facts">
          <dt>Name</dt>
          <dd>{principal?.displayName || "no name"}</dd>
          <dt>Credential</dt>
          <dd>
            <code>{principal?.name}</code>
          </dd>
          <dt>Roles</dt>
          <dd>
            {principal?.grants.length === 0 && "none"}
            {principal?.grants.map((grant) => (
              <span key={grant.project} className="tag">
                {Role[grant.role].toLowerCase()} in{" "}
                {grant.project === "projects/mesh" ? "every project" : grant.project.replace("projects/", "")}
              </span>
            ))}
          </dd>
          {principal && principal.scopes.length > 0 && (
            <>
              <dt>Narrowed to</dt>
              <dd>{principal.scopes.join(", ")}</dd>
            </>
          )}
          <dt>This session</dt>
          <dd>renewed by itself; its token is good until {new Date(expiresAt).toLocaleTimeString("en")}</dd>
          {principal?.expireTime && (
            <>
              <dt>Credential ends</dt>
              <dd>{when(principal.expireTime)}</dd>
            </>
          )}
        </dl>
      </section>
    </div>
  );
}
