// A token with which agents join, and the two commands that a host needs.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { agents } from "../rpc/fleet";
import { CopyButton } from "../ui/copy";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { plural } from "../ui/format";
import { labelsOf } from "./labels";

const LIFETIMES = [
  ["1 hour", 1],
  ["1 day", 24],
  ["1 week", 168],
  ["30 days", 720],
] as const;

export function EnrolDialog({ project, onClose }: { project: string; onClose: () => void }) {
  const [uses, setUses] = useState(1);
  const [hours, setHours] = useState<number>(24);
  const [labels, setLabels] = useState("");
  const parsed = labelsOf(labels);
  // One id for all attempts of this dialog: a repeat after a lost answer makes no second token.
  const requestId = useRef(crypto.randomUUID());
  const create = useMutation({
    mutationFn: () =>
      agents.createEnrollmentToken({
        parent: `projects/${project}`,
        enrollmentToken: {
          maxUses: uses,
          labels: parsed.labels,
          expireTime: timestampFromMs(Date.now() + hours * 3_600_000),
        },
        requestId: requestId.current,
      }),
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  if (create.data) {
    const command = `weft agent enroll --url ${location.origin} --token ${create.data.secret}`;
    return (
      <Dialog title="On the host" onClose={onClose} sticky>
        <div className="form">
          <p>
            The token lets {plural(uses, "agent")} join. It is shown this once; whoever has it can add an
            agent to {project}.
          </p>
          {[command, "weft agent run"].map((line) => (
            <div key={line} className="command-line">
              <code>{line}</code>
              <CopyButton text={line} />
            </div>
          ))}
          <p className="hint">The agent appears in the list by itself.</p>
          <footer className="dialog-foot">
            <button type="button" className="button button-primary" onClick={onClose}>
              Done
            </button>
          </footer>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Add agents" onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <div className="form-row">
          <label>
            How many may join
            <input
              type="number"
              min={1}
              max={100_000}
              required
              value={uses}
              onChange={(event) => setUses(event.target.valueAsNumber || 1)}
            />
          </label>
          <label>
            The token ends after
            <select value={hours} onChange={(event) => setHours(Number(event.target.value))}>
              {LIFETIMES.map(([label, value]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        </div>
        <label>
          Labels of these agents
          <input
            placeholder="site=north role=db"
            spellCheck={false}
            value={labels}
            aria-invalid={parsed.problem !== null}
            onChange={(event) => setLabels(event.target.value)}
          />
          <small>{parsed.problem ?? "key=value, separated by spaces"}</small>
        </label>
        <Problem error={create.error} />
        <DialogFoot
          label="Make a token"
          disabled={create.isPending || parsed.problem !== null}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  );
}
