import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { GraphKind } from "../gen/weft/graph/v1/graph_pb";
import { graphs } from "../rpc/clients";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { isId, slug } from "../ui/format";

interface Props {
  project: string;
  onClose: () => void;
  onCreated: (name: string, next: "open" | "import") => void;
}

export function CreateGraphDialog({ project, onClose, onCreated }: Props) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [id, setId] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  const [kind, setKind] = useState(GraphKind.KNOWLEDGE);
  // One id for all attempts of this dialog: a repeat after a lost answer is harmless.
  const requestId = useRef(crypto.randomUUID());
  const graphId = id ?? slug(name);
  const create = useMutation({
    mutationFn: (_next: "open" | "import") =>
      graphs.createGraph({
        parent: `projects/${project}`,
        graphId,
        graph: { displayName: name.trim(), description: description.trim(), kind },
        requestId: requestId.current,
      }),
    onSuccess: (graph, next) => {
      void queries.invalidateQueries({ queryKey: ["graphs"] });
      onCreated(graph.name, next);
    },
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  const valid = name.trim() !== "" && (graphId === "" || isId(graphId));
  return (
    <Dialog title="New graph" onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate("open");
        }}
      >
        <label>
          Name
          <input required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />
        </label>
        <label>
          Id
          <input
            value={graphId}
            maxLength={63}
            spellCheck={false}
            aria-describedby="graph-id-help"
            onChange={(event) => setId(event.target.value)}
          />
          <small id="graph-id-help">
            projects/{project}/graphs/{graphId || "…"} · lower-case letters, digits and hyphens; cannot be
            changed later
          </small>
        </label>
        <label>
          Description
          <textarea
            rows={2}
            maxLength={4000}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
        </label>
        <fieldset className="choice">
          <legend>Used for</legend>
          {(
            [
              [GraphKind.KNOWLEDGE, "Knowledge", "look, search, analyse"],
              [GraphKind.WORKFLOW, "Workflow", "execute"],
            ] as const
          ).map(([value, label, hint]) => (
            <label key={value}>
              <input type="radio" name="kind" checked={kind === value} onChange={() => setKind(value)} />
              <span>
                {label} <small>{hint}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <Problem error={create.error} />
        <DialogFoot label="Create" disabled={!valid || create.isPending} onCancel={onClose}>
          <button
            type="button"
            className="button"
            disabled={!valid || create.isPending}
            onClick={() => create.mutate("import")}
          >
            Create and import files
          </button>
        </DialogFoot>
      </form>
    </Dialog>
  );
}
