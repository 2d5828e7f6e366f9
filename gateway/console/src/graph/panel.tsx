// Everything about one node: what it is, what it has, what it hangs on.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useStoreValue } from "../app/store";
import { graphs } from "../rpc/clients";
import { CopyButton } from "../ui/copy";
import { count, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Failure, Skeleton } from "../ui/states";
import type { LiveGraph } from "./live";
import { PathFinder } from "./path-finder";
import { PropertyTree } from "./property-tree";

type Tab = "properties" | "neighbours" | "related";

export function SidePanel({ live, index }: { live: LiveGraph; index: number }) {
  const model = live.model;
  const version = useStoreValue(live.state, (state) => state.version);
  const [tab, setTab] = useState<Tab>("neighbours");
  const key = model?.keys[index] ?? "";
  const node = useQuery({
    queryKey: ["node", live.name, key, version],
    queryFn: ({ signal }) => graphs.getNode({ graph: live.name, key }, { signal }),
    placeholderData: (before) => (before?.key === key ? before : undefined),
  });
  if (!model) return null;
  const type = model.typeName(index);
  const labels = model.labelsOf(index);
  return (
    <aside className="panel" aria-label="Node" data-testid="panel">
      <header className="panel-head">
        <div className="panel-title">
          <h2>{model.title(index)}</h2>
          <button
            type="button"
            className="icon-button"
            aria-label="Close the panel"
            onClick={() => live.select(-1)}
          >
            <Icon name="close" />
          </button>
        </div>
        <div className="panel-tags">
          {type && <span className="tag tag-type">{type}</span>}
          {labels.map((label) => (
            <span key={label} className="tag">
              {label}
            </span>
          ))}
        </div>
        <div className="panel-line">
          <code title={key}>{key}</code>
          <CopyButton text={key} label="Copy key" />
        </div>
        <div className="panel-line">
          <span>{plural(model.degrees[index], "edge")}</span>
          <button type="button" className="button button-small" onClick={() => live.scene?.flyToNode(index)}>
            <Icon name="target" /> Show
          </button>
          <PathFinder live={live} from={key} />
        </div>
        {node.data?.origin && (
          <div className="panel-line">
            <span>
              From the source{" "}
              <Link
                to="/graphs/$project/$graph"
                params={{ project: live.project, graph: live.id }}
                search={(before) => ({ ...before, view: "sources" as const, source: node.data.origin })}
              >
                {node.data.origin}
              </Link>
            </span>
          </div>
        )}
      </header>
      <div className="panel-tabs" role="tablist" aria-label="About the node">
        {(["neighbours", "properties", "related"] as const).map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`tab-${one}`}
            aria-selected={tab === one}
            aria-controls="panel-content"
            className="tab"
            onClick={() => setTab(one)}
          >
            {one[0].toUpperCase() + one.slice(1)}
          </button>
        ))}
      </div>
      <div className="panel-content" role="tabpanel" id="panel-content" aria-labelledby={`tab-${tab}`}>
        {tab === "properties" &&
          (node.isError ? (
            <Failure title="The node cannot be read" error={node.error} onRetry={() => node.refetch()} />
          ) : node.data ? (
            <PropertyTree value={node.data.properties ?? {}} />
          ) : (
            <PanelSkeleton />
          ))}
        {tab === "neighbours" && <Neighbours live={live} nodeKey={key} version={version} />}
        {tab === "related" && <Related live={live} nodeKey={key} version={version} />}
      </div>
    </aside>
  );
}

interface NeighbourRow {
  key: string;
  title: string;
  out: boolean;
  edgeType: string;
}

function Neighbours({ live, nodeKey, version }: { live: LiveGraph; nodeKey: string; version: number }) {
  const [filter, setFilter] = useState("");
  const { data, isPending, isError, error, refetch } = useQuery({
    queryKey: ["neighbours", live.name, nodeKey, version],
    queryFn: ({ signal }) =>
      graphs.getNeighborhood({ graph: live.name, keys: [nodeKey], depth: 1, maxNodes: 5000 }, { signal }),
  });
  const rows = useMemo<NeighbourRow[]>(() => {
    const titles = new Map(data?.nodes.map((node) => [node.key, node.displayName || node.key]));
    const out: NeighbourRow[] = [];
    for (const edge of data?.edges ?? []) {
      // Edges among the neighbours themselves are not this node's.
      if (edge.source !== nodeKey && edge.target !== nodeKey) continue;
      const key = edge.source === nodeKey ? edge.target : edge.source;
      out.push({ key, title: titles.get(key) ?? key, out: edge.source === nodeKey, edgeType: edge.type });
    }
    return out.sort((a, b) => Number(b.out) - Number(a.out) || (a.title < b.title ? -1 : 1));
  }, [data, nodeKey]);
  const shown = useMemo(() => {
    const words = filter.toLowerCase();
    return words ? rows.filter((row) => `${row.title} ${row.edgeType}`.toLowerCase().includes(words)) : rows;
  }, [rows, filter]);
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => box.current,
    estimateSize: () => 34,
    overscan: 10,
  });
  useEffect(() => {
    box.current?.scrollTo({ top: 0 });
    setFilter("");
  }, [nodeKey]);
  if (isPending) return <PanelSkeleton />;
  if (isError)
    return <Failure title="The neighbours cannot be read" error={error} onRetry={() => refetch()} />;
  return (
    <>
      {rows.length > 8 && (
        <label className="search-field search-field-flat">
          <Icon name="search" />
          <input
            type="search"
            aria-label="Filter neighbours"
            placeholder={`Filter ${plural(rows.length, "neighbour")}`}
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
          />
        </label>
      )}
      {data.truncated && (
        <p className="hint">There are more than can be listed; these are the first {count(rows.length)}.</p>
      )}
      {shown.length === 0 && (
        <p className="hint">{rows.length === 0 ? "No edge leads here or away." : "None matches."}</p>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="panel-list" ref={box} tabIndex={0} role="group" aria-label="Neighbours">
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => {
            const row = shown[item.index];
            return (
              <button
                key={item.key}
                type="button"
                className="neighbour"
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => live.goToKey(row.key)}
              >
                <span className="neighbour-way" title={row.out ? "from this node" : "to this node"}>
                  {row.out ? "→" : "←"}
                </span>
                <span className="neighbour-name">{row.title}</span>
                <small>{row.edgeType}</small>
              </button>
            );
          })}
        </div>
      </div>
    </>
  );
}

function Related({ live, nodeKey, version }: { live: LiveGraph; nodeKey: string; version: number }) {
  const { data, isPending, isError, error, refetch } = useQuery({
    queryKey: ["related", live.name, nodeKey, version],
    queryFn: ({ signal }) =>
      graphs.listRelatedNodes({ graph: live.name, key: nodeKey, pageSize: 30 }, { signal }),
  });
  if (isPending) return <PanelSkeleton />;
  if (isError)
    return <Failure title="Related nodes cannot be found" error={error} onRetry={() => refetch()} />;
  if (data.related.length === 0) return <p className="hint">Nothing shares its words or its neighbours.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <div className="panel-list" tabIndex={0} role="group" aria-label="Related nodes">
      {data.related.map((related) => (
        <button
          key={related.node?.key}
          type="button"
          className="related"
          onClick={() => related.node && live.goToKey(related.node.key)}
        >
          <span className="neighbour-name">{related.node?.displayName || related.node?.key}</span>
          <meter
            min={0}
            max={1}
            value={related.score}
            aria-label="How related"
            title={`text ${related.textSimilarity.toFixed(2)}, links ${related.linkSimilarity.toFixed(2)}`}
          />
          <small>
            {related.linked ? "linked" : "not linked"}
            {related.sharedNeighbors.length > 0 &&
              ` · both know ${related.sharedNeighbors.slice(0, 3).join(", ")}`}
          </small>
        </button>
      ))}
    </div>
  );
}

function PanelSkeleton() {
  return (
    <div className="panel-skeleton">
      {[80, 55, 70, 40].map((width) => (
        <Skeleton key={width} width={`${width}%`} />
      ))}
    </div>
  );
}
