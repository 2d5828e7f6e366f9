import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Graph } from "../gen/weft/graph/v1/graph_pb";
import { graphs } from "../rpc/clients";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart, plural } from "../ui/format";
import { toast } from "../ui/toast";

export function DeleteGraphDialog({ graph, onClose }: { graph: Graph; onClose: () => void }) {
  const queries = useQueryClient();
  const id = lastPart(graph.name);
  const [typed, setTyped] = useState("");
  // Content that took work to bring in deserves a second thought; an empty graph does not.
  const heavy = graph.nodeCount > 0n;
  const remove = useMutation({
    mutationFn: () => graphs.deleteGraph({ name: graph.name, etag: graph.etag }),
    onSuccess: () => {
      queries.setQueriesData<Graph[]>(
        { queryKey: ["graphs", graph.name.split("/")[1]], exact: true },
        (list) => list?.filter((one) => one.name !== graph.name),
      );
      void queries.invalidateQueries({ queryKey: ["graphs"] });
      toast.done(`Deleted ${id}`);
      onClose();
    },
  });
  return (
    <Dialog title={`Delete ${graph.displayName || id}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          remove.mutate();
        }}
      >
        <p>
          {plural(graph.nodeCount, "node")}, {plural(graph.edgeCount, "edge")}, all layouts and the history of{" "}
          {plural(graph.revision, "revision")} go with it. This cannot be undone.
        </p>
        {heavy && (
          <label>
            Type <code>{id}</code> to confirm
            <input
              value={typed}
              spellCheck={false}
              autoComplete="off"
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
        )}
        <Problem error={remove.error} />
        <DialogFoot
          label="Delete"
          danger
          disabled={(heavy && typed !== id) || remove.isPending}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  );
}
