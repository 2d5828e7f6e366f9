import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { Source } from "../gen/weft/graph/v1/source_pb";
import { graphs } from "../rpc/clients";
import { sources } from "../rpc/sources";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart, plural } from "../ui/format";
import { toast } from "../ui/toast";
import { graphOf, sourcesKey } from "./refreshes";

/** Nodes that are counted to say what goes; a person need not know of more than that. */
const COUNTED = 200;

interface Props {
  source: Source;
  onClose: () => void;
  onDeleted: () => void;
}

export function DeleteSourceDialog({ source, onClose, onDeleted }: Props) {
  const queries = useQueryClient();
  const id = lastPart(source.name);
  const graph = graphOf(source.name);
  const [content, setContent] = useState(false);
  const brought = useQuery({
    queryKey: ["brought", source.uid, source.lastRefresh?.name ?? ""],
    queryFn: ({ signal }) =>
      graphs.listNodes({ graph, filter: `origin = "${id}"`, pageSize: COUNTED }, { signal }),
  });
  const nodes = brought.data
    ? `${brought.data.nextPageToken ? "More than " : ""}${plural(brought.data.nodes.length, "node")}`
    : "Its nodes";
  const remove = useMutation({
    mutationFn: () => sources.deleteSource({ name: source.name, etag: source.etag, deleteContent: content }),
    onSuccess: () => {
      queries.setQueryData<Source[]>(sourcesKey(graph), (list) =>
        list?.filter((one) => one.name !== source.name),
      );
      void queries.invalidateQueries({ queryKey: sourcesKey(graph) });
      toast.done(content ? `Deleted ${id} and its content` : `Deleted ${id}; its content stays`);
      onDeleted();
    },
  });
  return (
    <Dialog title={`Delete ${source.displayName || id}?`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          remove.mutate();
        }}
      >
        <p>The source and the history of its refreshes go. The files in its folder are never touched.</p>
        <fieldset className="choice choice-tall">
          <legend>What it has brought into the graph</legend>
          <label>
            <input type="radio" name="content" checked={!content} onChange={() => setContent(false)} />
            <span>
              Stays <small>{nodes} and their edges remain, and are kept up to date no more</small>
            </span>
          </label>
          <label>
            <input type="radio" name="content" checked={content} onChange={() => setContent(true)} />
            <span>
              Is deleted, too{" "}
              <small>{nodes} and their edges go, as one revision; also edges that others drew to them</small>
            </span>
          </label>
        </fieldset>
        <Problem error={remove.error} />
        <DialogFoot
          label={content ? "Delete source and content" : "Delete source"}
          danger
          disabled={remove.isPending}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  );
}
