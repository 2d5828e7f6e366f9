// A new workflow: a name, and something to begin with.
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
  onCreated: (name: string) => void;
}

export function CreateWorkflowDialog({ project, onClose, onCreated }: Props) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [id, setId] = useState<string | null>(null);
  const [description, setDescription] = useState("");
  // One id for all attempts of this dialog: a repeat after a lost answer is harmless.
  const requestId = useRef(crypto.randomUUID());
  const graphId = id ?? slug(name);
  const create = useMutation({
    mutationFn: () =>
      graphs.createGraph({
        parent: `projects/${project}`,
        graphId,
        graph: { displayName: name.trim(), description: description.trim(), kind: GraphKind.WORKFLOW },
        requestId: requestId.current,
      }),
    onSuccess: (graph) => {
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      void queries.invalidateQueries({ queryKey: ["graphs"] });
      onCreated(graph.name);
    },
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  const valid = name.trim() !== "" && isId(graphId);
  return (
    <Dialog title="New workflow" onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
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
            aria-invalid={graphId !== "" && !isId(graphId)}
            onChange={(event) => setId(event.target.value)}
          />
          <small>Lower-case letters, digits and hyphens; cannot be changed later.</small>
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
        <Problem error={create.error} />
        <DialogFoot label="Create" disabled={!valid || create.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
