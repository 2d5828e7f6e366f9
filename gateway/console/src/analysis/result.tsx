// What an analysis found: numbers, how the values are spread, the first of them,
// and a switch that colours the map by it.
import { useMutation } from "@tanstack/react-query";
import { useStoreValue } from "../app/store";
import type { Analysis, AnalysisResult, Histogram } from "../gen/weft/compute/v1/analysis_pb";
import type { LiveGraph } from "../graph/live";
import { describe } from "../rpc/errors";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import { toast } from "../ui/toast";
import { short } from "./analyses";
import { valuesOf } from "./run";

export function AnalysisResultView({ live, analysis }: { live: LiveGraph; analysis: Analysis }) {
  const { result } = analysis;
  if (!result) return null;
  const pairs = result.top[0]?.otherOrdinal !== undefined;
  const kind = analysis.algorithm?.kind;
  const numbers = Object.entries(result.numbers).sort(([a], [b]) => (a < b ? -1 : 1));
  return (
    <>
      {!pairs && <OnMap live={live} analysis={analysis} />}
      <dl className="facts facts-narrow">
        {numbers.map(([name, value]) => (
          <div key={name}>
            <dt>{words(name)}</dt>
            <dd>{name === "converged" ? (value > 0 ? "yes" : "no") : short(value)}</dd>
          </div>
        ))}
        <div>
          <dt>{pairs ? "Pairs" : "Nodes"}</dt>
          <dd>
            {count(result.rowCount)}
            {!pairs && result.rowCount < result.nodeCount && ` of ${count(result.nodeCount)}`}
          </dd>
        </div>
        <div>
          <dt>Revision</dt>
          <dd>{count(result.graphRevision)}</dd>
        </div>
        <div>
          <dt>Computed in</dt>
          <dd>{short(result.computeDurationMs)} ms</dd>
        </div>
        {result.writtenRevision > 0n && (
          <div>
            <dt>Written to</dt>
            <dd>
              {kind?.case === "similarity" ? `edges ${kind.value.writeEdgeType}` : analysis.writeProperty}
              {result.unwrittenCount > 0n && `, but ${count(result.unwrittenCount)} nodes that have gone`}
            </dd>
          </div>
        )}
      </dl>
      {result.histogram && result.histogram.counts.length > 1 && (
        <Bars
          histogram={result.histogram}
          what={result.groups.length > 0 ? "group size" : result.columns[0]}
        />
      )}
      {result.groups.length > 0 ? (
        <Groups live={live} result={result} />
      ) : (
        <Top live={live} result={result} />
      )}
    </>
  );
}

function OnMap({ live, analysis }: { live: LiveGraph; analysis: Analysis }) {
  const shown = useStoreValue(live.state, (state) => state.style.values?.analysis === analysis.name);
  const show = useMutation({
    mutationFn: () => valuesOf(analysis),
    onSuccess: (values) => live.showValues(values),
    onError: (error) => toast.error(describe(error)),
  });
  return (
    <button
      type="button"
      className="button"
      aria-pressed={shown}
      disabled={show.isPending}
      onClick={() => (shown ? live.showValues(null) : show.mutate())}
    >
      <Icon name="eye" />{" "}
      {shown ? "Take off the map" : show.isPending ? "Fetching the values…" : "Show on the map"}
    </button>
  );
}

function Top({ live, result }: { live: LiveGraph; result: AnalysisResult }) {
  if (result.top.length === 0) return <p className="hint">No node has a value.</p>;
  const pairs = result.top[0].otherOrdinal !== undefined;
  return (
    <table className="analysis-table" data-testid="analysis-top">
      <thead>
        <tr>
          <th scope="col">Node</th>
          {pairs && <th scope="col">And</th>}
          <th scope="col">{words(result.columns[0])}</th>
        </tr>
      </thead>
      <tbody>
        {result.top.map((value) => (
          <tr key={`${value.ordinal} ${value.otherOrdinal}`}>
            <td>
              <GoTo live={live} node={value.node} />
            </td>
            {pairs && (
              <td>
                <GoTo live={live} node={value.otherNode} />
              </td>
            )}
            <td>{short(value.values[0])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Groups({ live, result }: { live: LiveGraph; result: AnalysisResult }) {
  return (
    <table className="analysis-table" data-testid="analysis-groups">
      <thead>
        <tr>
          <th scope="col">Group of</th>
          <th scope="col">Nodes</th>
        </tr>
      </thead>
      <tbody>
        {result.groups.map((group) => (
          <tr key={group.value}>
            <td>
              <GoTo live={live} node={group.node} />
            </td>
            <td>{count(group.nodeCount)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function GoTo({ live, node }: { live: LiveGraph; node: string }) {
  return (
    <button type="button" className="link-button" title={node} onClick={() => live.goToKey(node)}>
      {node}
    </button>
  );
}

/** Bars in a box of 100 by 40; the heights are logarithms, or one tall bar would hide all others. */
function Bars({ histogram, what }: { histogram: Histogram; what: string }) {
  const counts = histogram.counts.map(Number);
  const most = Math.log1p(Math.max(...counts));
  const width = 100 / counts.length;
  const [first, last] = [histogram.bounds[0], histogram.bounds[histogram.bounds.length - 1]];
  return (
    <figure className="analysis-bars">
      <svg
        viewBox="0 0 100 40"
        preserveAspectRatio="none"
        role="img"
        aria-label={`How many nodes by ${words(what)}`}
      >
        {counts.map((nodes, at) => {
          const height = most > 0 ? (Math.log1p(nodes) / most) * 38 : 0;
          return (
            <rect
              key={histogram.bounds[at]}
              x={at * width + 0.3}
              y={40 - height}
              width={width - 0.6}
              height={height}
            >
              <title>{`${short(histogram.bounds[at])} to ${short(histogram.bounds[at + 1])}: ${count(nodes)}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption>
        <span>{short(first)}</span>
        <span>
          {words(what).toLowerCase()}
          {histogram.logarithmic && ", by powers"}
        </span>
        <span>{short(last)}</span>
      </figcaption>
    </figure>
  );
}

function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
