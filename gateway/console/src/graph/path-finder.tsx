// The shortest way from the node at hand to another one.
import { useState } from "react";
import { useStoreValue } from "../app/store";
import { Direction } from "../gen/weft/graph/v1/graph_pb";
import { graphs } from "../rpc/clients";
import { describe } from "../rpc/errors";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/menu";
import type { LiveGraph } from "./live";
import { useNodeSearch } from "./search";

export function PathFinder({ live, from }: { live: LiveGraph; from: string }) {
  return (
    <Popover
      label="Shortest path to another node"
      buttonClass="button button-small"
      align="right"
      button={
        <>
          <Icon name="path" /> Path to…
        </>
      }
    >
      {() => <PathForm live={live} from={from} />}
    </Popover>
  );
}

function PathForm({ live, from }: { live: LiveGraph; from: string }) {
  const [text, setText] = useState("");
  const [directed, setDirected] = useState(false);
  const [answer, setAnswer] = useState("");
  const path = useStoreValue(live.state, (state) => state.path);
  const { data, query } = useNodeSearch(live, text, 6);
  const find = async (target: string) => {
    setAnswer("Searching…");
    try {
      const direction = directed ? Direction.OUT : Direction.BOTH;
      const found = await graphs.findShortestPath({ graph: live.name, source: from, target, direction });
      if (!found.found) {
        live.showPath([]);
        setAnswer(directed ? "No path that follows the edges' direction." : "No path joins the two.");
        return;
      }
      const indices = found.nodes
        .map((node) => live.model?.indexOfKey(node.key) ?? -1)
        .filter((index) => index >= 0);
      live.showPath(indices);
      setAnswer(`${plural(found.edges.length, "step")}:`);
      setText("");
    } catch (error) {
      setAnswer(describe(error));
    }
  };
  return (
    <div className="path-form">
      <input
        type="search"
        // biome-ignore lint/a11y/noAutofocus: opened to type in it
        autoFocus
        aria-label="Other node"
        placeholder="Other node"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          const first = data?.results[0]?.node;
          if (event.key === "Enter" && first) void find(first.key);
        }}
      />
      <label className="check">
        <input type="checkbox" checked={directed} onChange={(event) => setDirected(event.target.checked)} />
        Follow the edges' direction
      </label>
      {query !== "" &&
        text !== "" &&
        data?.results.map(({ node }) => (
          <button key={node?.key} type="button" className="menu-item" onClick={() => node && find(node.key)}>
            <span>{node?.displayName || node?.key}</span>
          </button>
        ))}
      <p className="hint" role="status">
        {answer}
      </p>
      {path.length > 1 && (
        <>
          <ol className="path-steps">
            {path.map((index) => (
              <li key={index}>
                <button type="button" className="link" onClick={() => live.scene?.flyToNode(index)}>
                  {live.model?.title(index)}
                </button>
              </li>
            ))}
          </ol>
          <button type="button" className="button button-small" onClick={() => live.showPath([])}>
            Clear
          </button>
        </>
      )}
    </div>
  );
}
