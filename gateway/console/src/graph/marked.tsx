// Nodes that were marked together: the line that is drawn round them, and what can
// be done with all of them at once.
import { useStoreValue } from "../app/store";
import type { PinNodesRequestSchema } from "../gen/weft/compute/v1/layout_service_pb";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe } from "../rpc/errors";
import { layouts } from "../rpc/layouts";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { toast } from "../ui/toast";
import { column, group, row, type Rule } from "./constraints";
import { useAdding } from "./constraints-panel";
import type { LiveGraph } from "./live";

/** As many as the contract takes at once. */
const MOST = 10_000;

type Placements = MessageInitShape<typeof PinNodesRequestSchema>["nodes"];

export function Lasso({ live }: { live: LiveGraph }) {
  const line = useStoreValue(live.state, (state) => state.lasso);
  if (line.length < 2) return null;
  return (
    <svg className="lasso" aria-hidden="true">
      <polygon points={line.map(([x, y]) => `${x},${y}`).join(" ")} />
    </svg>
  );
}

export function MarkedBar({ live }: { live: LiveGraph }) {
  const marked = useStoreValue(live.state, (state) => state.marked);
  const adding = useAdding(live);
  const { model } = live;
  if (marked.size === 0 || !model) return null;
  const keys = [...marked].map((index) => model.keys[index]);
  const tooMany = keys.length > MOST;
  const keep = (rule: Rule, what: string) =>
    adding.mutate(
      { rule, name: `${what} of ${plural(keys.length, "node")}` },
      { onSuccess: () => live.markOnly([]) },
    );
  const pins = async (send: (nodes: Placements) => Promise<unknown>, done: string) => {
    try {
      await send(keys.map((key) => ({ node: { case: "key", value: key } })));
      toast.done(`${plural(keys.length, "node")} ${done}`);
    } catch (error) {
      toast.error(describe(error));
    }
  };
  const name = live.layoutName;
  const two = keys.length > 1;
  return (
    <div className="marked-bar float" role="group" aria-label="Marked nodes">
      <strong role="status">{plural(keys.length, "node")}</strong>
      {live.canMove && (
        <>
          <button
            type="button"
            className="button button-small"
            disabled={tooMany}
            onClick={() => pins((nodes) => layouts.pinNodes({ name, nodes }), "pinned")}
          >
            Pin
          </button>
          <button
            type="button"
            className="button button-small"
            disabled={tooMany}
            onClick={() => pins((nodes) => layouts.unpinNodes({ name, nodes }), "let go")}
          >
            Let go
          </button>
          {two && (
            <>
              <button
                type="button"
                className="button button-small"
                disabled={tooMany}
                onClick={() => keep(row(keys), "Row")}
              >
                Row
              </button>
              <button
                type="button"
                className="button button-small"
                disabled={tooMany}
                onClick={() => keep(column(keys), "Column")}
              >
                Column
              </button>
              <button
                type="button"
                className="button button-small"
                disabled={tooMany}
                onClick={() => keep(group(keys), "Group")}
              >
                Group
              </button>
            </>
          )}
        </>
      )}
      <button
        type="button"
        className="icon-button"
        aria-label="Mark none"
        title="Mark none (Esc)"
        onClick={() => live.markOnly([])}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
