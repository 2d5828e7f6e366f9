// The same graph for those who cannot use the map, or would rather not: every
// node in a table, filtered and sorted by the mesh, loaded as it is scrolled.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, useState } from "react";
import { useStore } from "../app/store";
import { graphs } from "../rpc/clients";
import { describe } from "../rpc/errors";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import { Failure, Skeleton } from "../ui/states";
import type { LiveGraph } from "./live";
import { useDebounced } from "./search";

const PAGE = 200;
const ROW = 36;
const SORTS = [
  ["degree desc", "most edges first"],
  ["degree", "fewest edges first"],
  ["key", "by key"],
  ["type", "by type"],
  ["", "oldest first"],
] as const;

export function NodesTable({ live }: { live: LiveGraph }) {
  const { version, selected } = useStore(live.state);
  const [text, setText] = useState("");
  const [orderBy, setOrderBy] = useState<string>("degree desc");
  const filter = useDebounced(text.trim(), 300);
  const pages = useInfiniteQuery({
    queryKey: ["nodes", live.name, filter, orderBy, version],
    queryFn: ({ pageParam, signal }) =>
      graphs.listNodes(
        { graph: live.name, pageSize: PAGE, pageToken: pageParam, filter, orderBy },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    placeholderData: (before) => before,
  });
  const nodes = pages.data?.pages.flatMap((page) => page.nodes) ?? [];
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: nodes.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const lastSeen = items[items.length - 1]?.index ?? 0;
  useEffect(() => {
    if (lastSeen > nodes.length - 40 && pages.hasNextPage && !pages.isFetching) void pages.fetchNextPage();
  }, [lastSeen, nodes.length, pages.hasNextPage, pages.isFetching, pages.fetchNextPage]);

  return (
    <div className="nodes-view">
      <div className="toolbar">
        <label className="search-field search-field-code">
          <Icon name="search" />
          <input
            type="search"
            aria-label="Filter nodes"
            aria-describedby="nodes-filter-help"
            aria-invalid={pages.isError && filter !== ""}
            placeholder='type = "package" AND degree > 10'
            spellCheck={false}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <label className="inline-field">
          <span className="hidden-text">Order</span>
          <select aria-label="Order" value={orderBy} onChange={(event) => setOrderBy(event.target.value)}>
            {SORTS.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <span className="toolbar-count" role="status">
          {pages.data && `${count(nodes.length)}${pages.hasNextPage ? "+" : ""} nodes`}
        </span>
      </div>
      <p id="nodes-filter-help" className="hint">
        {pages.isError && filter ? (
          <span className="field-error">{describe(pages.error)}</span>
        ) : (
          <>
            Fields: <code>key</code> <code>type</code> <code>display_name</code> <code>labels</code>{" "}
            <code>properties.PATH</code> <code>origin</code> <code>degree</code> <code>in_degree</code>{" "}
            <code>out_degree</code>
          </>
        )}
      </p>
      {pages.isError && !filter ? (
        <Failure title="The nodes cannot be listed" error={pages.error} onRetry={() => pages.refetch()} />
      ) : (
        <div
          className="table nodes-table"
          role="table"
          aria-label="Nodes"
          aria-rowcount={pages.hasNextPage ? -1 : nodes.length + 1}
        >
          <div className="table-head" role="row">
            {["Name", "Type", "Labels", "Edges"].map((label) => (
              <div key={label} role="columnheader" className={label === "Edges" ? "number" : ""}>
                {label}
              </div>
            ))}
          </div>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
          <div className="table-body" ref={box} role="rowgroup" tabIndex={0} aria-label="Rows">
            {pages.isPending &&
              [50, 70, 40, 60, 45].map((width) => (
                <div key={width} className="table-row" role="row">
                  <div role="cell">
                    <Skeleton width={`${width}%`} />
                  </div>
                </div>
              ))}
            {!pages.isPending && nodes.length === 0 && <p className="table-none">No node matches.</p>}
            <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
              {items.map((item) => {
                const node = nodes[item.index];
                const index = live.model?.indexOfKey(node.key) ?? -1;
                return (
                  <div
                    key={node.key}
                    role="row"
                    aria-rowindex={item.index + 2}
                    className="table-row table-row-link"
                    data-selected={index >= 0 && index === selected}
                    style={{
                      position: "absolute",
                      top: 0,
                      left: 0,
                      right: 0,
                      transform: `translateY(${item.start}px)`,
                    }}
                  >
                    <div role="cell">
                      <button type="button" className="row-link" onClick={() => live.goToKey(node.key)}>
                        {node.displayName || node.key}
                      </button>
                    </div>
                    <div role="cell">{node.type}</div>
                    <div role="cell">{node.labels.join(", ")}</div>
                    <div role="cell" className="number">
                      {index >= 0 ? count(live.model?.degrees[index] ?? 0) : ""}
                    </div>
                  </div>
                );
              })}
            </div>
          </div>
        </div>
      )}
    </div>
  );
}
