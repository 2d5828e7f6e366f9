import { useMutation, useQueryClient } from "@tanstack/react-query";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { useRef, useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { Role } from "../gen/weft/identity/v1/identity_pb";
import { identity } from "../rpc/clients";
import { roleIn } from "../rpc/policy";
import { CopyButton } from "../ui/copy";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";

const ROLES = [
  [Role.VIEWER, "Viewer", "looks"],
  [Role.OPERATOR, "Operator", "changes and runs"],
  [Role.ADMIN, "Admin", "administers keys and settings"],
] as const;

const LIFETIMES = [
  ["never", 0],
  ["in 7 days", 7],
  ["in 30 days", 30],
  ["in 90 days", 90],
  ["in a year", 365],
] as const;

export function CreateKeyDialog({ project, onClose }: { project: string; onClose: () => void }) {
  const queries = useQueryClient();
  const { principal } = useStore(session.store);
  const [name, setName] = useState("");
  const [role, setRole] = useState(Role.VIEWER);
  const [days, setDays] = useState(0);
  const requestId = useRef(crypto.randomUUID());
  const create = useMutation({
    mutationFn: () =>
      identity.createApiKey({
        parent: `projects/${project}`,
        apiKey: {
          displayName: name.trim(),
          role,
          expireTime: days > 0 ? timestampFromDate(new Date(Date.now() + days * 86_400_000)) : undefined,
        },
        requestId: requestId.current,
      }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ["api-keys"] }),
  });
  if (create.data) {
    return (
      <Dialog title="Your new key" onClose={onClose} sticky>
        <div className="form">
          <p>
            Copy it now. It is shown <strong>only this once</strong>; the mesh keeps no copy.
          </p>
          <div className="command-line">
            <code data-testid="secret">{create.data.secret}</code>
            <CopyButton text={create.data.secret} />
          </div>
          <footer className="dialog-foot">
            <button type="button" className="button button-primary" onClick={onClose}>
              I have it
            </button>
          </footer>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="New API key" onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <label>
          What it is for
          <input
            required
            maxLength={200}
            placeholder="nightly import"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <fieldset className="choice">
          <legend>Role in {project}</legend>
          {ROLES.filter(([value]) => value <= roleIn(principal, project)).map(([value, label, hint]) => (
            <label key={value}>
              <input type="radio" name="role" checked={role === value} onChange={() => setRole(value)} />
              <span>
                {label} <small>{hint}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <label>
          Ends
          <select value={days} onChange={(event) => setDays(Number(event.target.value))}>
            {LIFETIMES.map(([label, value]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <Problem error={create.error} />
        <DialogFoot label="Create" disabled={create.isPending || name.trim() === ""} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
