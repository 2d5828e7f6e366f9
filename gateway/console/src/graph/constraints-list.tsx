// The constraints of the shown layout: what there is, one click for what is wanted
// often, and away with one.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useStoreValue } from "../app/store";
import { layouts } from "../rpc/layouts";
import { describe } from "../rpc/errors";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { toast } from "../ui/toast";
import { useAdding } from "./adding";
import { apart, downwards, groups, listOf, titleOf } from "./constraints";
import type { LiveGraph } from "./live";

/** How often it is asked again while the list is open: nodes join and leave. */
const AGAIN_MS = 2_000;

export default function Constraints({ live }: { live: LiveGraph }) {
  // Another layout has other constraints.
  useStoreValue(live.state, (state) => state.dimensions);
  const layout = live.layoutName;
  const queries = useQueryClient();
  const adding = useAdding(live);
  const [property, setProperty] = useState("");
  const listed = useQuery({
    queryKey: ["constraints", layout],
    queryFn: ({ signal }) => listOf(layout, signal),
    refetchInterval: AGAIN_MS,
  });
  const removing = useMutation({
    mutationFn: (name: string) => layouts.deleteConstraint({ name }),
    onError: (error) => toast.error(describe(error)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["constraints", layout] }),
  });
  const has = (kind: string) => listed.data?.some((one) => one.rule.case === kind) ?? true;
  return (
    <div className="constraints">
      {listed.error && <p className="note note-warn">{describe(listed.error)}</p>}
      {listed.data?.length === 0 && (
        <p className="constraints-none">
          None yet. Hold Shift and click nodes, or draw a line round them, to keep them together or in line.
        </p>
      )}
      <ul>
        {listed.data?.map((one) => (
          <li key={one.uid}>
            <span className="constraint-name">{titleOf(one)}</span>
            <span className="constraint-nodes">{plural(Number(one.nodeCount), "node")}</span>
            {live.canMove && (
              <button
                type="button"
                className="icon-button"
                aria-label={`Remove ${titleOf(one)}`}
                title="Remove"
                disabled={removing.isPending}
                onClick={() => removing.mutate(one.name)}
              >
                <Icon name="trash" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {live.canMove && (
        <>
          <div className="constraints-often">
            <button
              type="button"
              className="button button-small"
              disabled={has("hierarchy") || adding.isPending}
              onClick={() => adding.mutate({ rule: downwards, name: "Arrows down" })}
            >
              Arrows down
            </button>
            <button
              type="button"
              className="button button-small"
              disabled={has("collision") || adding.isPending}
              onClick={() => adding.mutate({ rule: apart })}
            >
              No overlaps
            </button>
          </div>
          <form
            className="constraints-by"
            onSubmit={(event) => {
              event.preventDefault();
              adding.mutate({ rule: groups(property.trim()) });
              setProperty("");
            }}
          >
            <input
              aria-label="Property to group by"
              placeholder="Group by a property"
              maxLength={128}
              value={property}
              onChange={(event) => setProperty(event.target.value)}
            />
            <button
              type="submit"
              className="button button-small"
              disabled={property.trim() === "" || adding.isPending}
            >
              Group
            </button>
          </form>
        </>
      )}
    </div>
  );
}
