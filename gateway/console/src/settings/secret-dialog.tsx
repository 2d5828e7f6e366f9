import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import type { Secret } from "../gen/weft/identity/v1/secret_pb";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart } from "../ui/format";
import { toast } from "../ui/toast";
import { hostsOf, secrets } from "./secrets";

/** A new secret, or another value and other hosts of one. */
export function SecretDialog({
  project,
  secret,
  onClose,
}: {
  project: string;
  secret: Secret | undefined;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [id, setId] = useState(secret ? lastPart(secret.name) : "");
  const [name, setName] = useState(secret?.displayName ?? "");
  const [value, setValue] = useState("");
  const [hosts, setHosts] = useState(secret?.allowedHosts.join(" ") ?? "");
  const requestId = useRef(crypto.randomUUID());
  const save = useMutation({
    mutationFn: () => {
      const wanted = { displayName: name.trim(), allowedHosts: hostsOf(hosts), value };
      return secret
        ? secrets.updateSecret({
            secret: { ...wanted, name: secret.name, etag: secret.etag },
            updateMask: { paths: ["display_name", "allowed_hosts", ...(value === "" ? [] : ["value"])] },
          })
        : secrets.createSecret({
            parent: `projects/${project}`,
            secretId: id.trim(),
            secret: wanted,
            requestId: requestId.current,
          });
    },
    onSuccess: (saved) => {
      void queries.invalidateQueries({ queryKey: ["secrets"] });
      toast.done(`Saved ${lastPart(saved.name)}`);
      onClose();
    },
  });
  return (
    <Dialog title={secret ? `Change ${secret.displayName || id}` : "New secret"} onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        {!secret && (
          <label>
            Name in expressions
            <input
              required
              pattern="[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?"
              title="Lower-case letters, digits and hyphens"
              placeholder="github"
              value={id}
              onChange={(event) => setId(event.target.value)}
            />
          </label>
        )}
        <label>
          What it is for
          <input
            maxLength={200}
            placeholder="Token of the release robot"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <label>
          Value
          {/* No password field: those are filled in by the browser, and lose line breaks. */}
          <textarea
            className="masked"
            rows={2}
            autoComplete="off"
            spellCheck={false}
            required={!secret}
            placeholder={secret ? "stays as it is" : ""}
            value={value}
            onChange={(event) => setValue(event.target.value)}
          />
          <small>Kept sealed. Nobody is shown it again.</small>
        </label>
        <label>
          May be sent to
          <input
            placeholder="api.github.com *.example.org"
            value={hosts}
            onChange={(event) => setHosts(event.target.value)}
          />
          <small>Hosts, separated by spaces, over TLS. Without any: wherever workflows may reach.</small>
        </label>
        <Problem error={save.error} />
        <DialogFoot label={secret ? "Save" : "Create"} disabled={save.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
