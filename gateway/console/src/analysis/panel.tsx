// The panel beside the map: choose an analysis, see how it goes, look at what it
// found, and colour the map by it.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useStoreValue } from "../app/store";
import { session } from "../auth/session";
import type { Analysis } from "../gen/weft/compute/v1/analysis_pb";
import { AnalysisState } from "../gen/weft/compute/v1/analysis_pb";
import { AnalysisService } from "../gen/weft/compute/v1/analysis_service_pb";
import type { LiveGraph } from "../graph/live";
import { analyses } from "../rpc/analyses";
import { describe } from "../rpc/errors";
import { may } from "../rpc/policy";
import { ago, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { titleOf } from "./algorithms";
import { analysesKey, analysisKey, isOpen, progressOf, STATES, tell } from "./analyses";
import { AnalysisForm } from "./form";
import { AnalysisResultView } from "./result";
import { follow, list } from "./run";

interface Props {
  live: LiveGraph;
  /** Last part of the name of the analysis that is looked at. */
  selected: string | undefined;
  onSelect: (id: string | undefined) => void;
  onClose: () => void;
}

export function AnalysisPanel({ live, selected, onSelect, onClose }: Props) {
  const [creating, setCreating] = useState(false);
  const principal = useStoreValue(session.store, (state) => state.principal);
  const mayCreate = may(principal, AnalysisService.method.createAnalysis, live.project);
  const listed = useQuery({
    queryKey: analysesKey(live.name),
    queryFn: ({ signal }) => list(live.name, signal),
  });
  const none = listed.data?.length === 0 && !selected;
  const forming = creating || (none && mayCreate);
  return (
    <aside className="panel analysis-panel" aria-label="Analyses" data-testid="analysis-panel">
      <header className="panel-head">
        <div className="panel-title">
          {selected || (forming && !none) ? (
            <button
              type="button"
              className="link-button back"
              onClick={() => {
                setCreating(false);
                onSelect(undefined);
              }}
            >
              ‹ All analyses
            </button>
          ) : (
            <h2>Analyses</h2>
          )}
          <button type="button" className="icon-button" aria-label="Close the panel" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        {!selected && !forming && mayCreate && (
          <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
            <Icon name="plus" /> New analysis
          </button>
        )}
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="panel-scroll" tabIndex={0} role="group" aria-label="Analysis">
        {selected ? (
          <One live={live} id={selected} onDeleted={() => onSelect(undefined)} />
        ) : forming ? (
          <AnalysisForm
            live={live}
            onCreated={(analysis) => {
              setCreating(false);
              onSelect(lastPart(analysis.name));
            }}
          />
        ) : listed.isError && !listed.data ? (
          <Failure
            title="The analyses cannot be listed"
            error={listed.error}
            onRetry={() => listed.refetch()}
          />
        ) : listed.isPending ? (
          <Waiting />
        ) : none ? (
          <Empty icon="chart" title="No analyses yet">
            <p>Nobody has analysed this graph, and your role does not let you.</p>
          </Empty>
        ) : (
          <ol className="analysis-list">
            {listed.data.map((analysis) => (
              <li key={analysis.uid}>
                <button type="button" onClick={() => onSelect(lastPart(analysis.name))}>
                  <span>
                    <strong>{titleOf(analysis.algorithm?.kind.case)}</strong>
                    <small title={when(analysis.createTime)}>{ago(analysis.createTime)}</small>
                  </span>
                  <StateMark analysis={analysis} />
                </button>
              </li>
            ))}
          </ol>
        )}
      </div>
    </aside>
  );
}

function Waiting() {
  return (
    <div className="panel-skeleton" role="status" aria-label="Loading">
      {[80, 55, 70].map((width) => (
        <Skeleton key={width} width={`${width}%`} />
      ))}
    </div>
  );
}

function StateMark({ analysis }: { analysis: Analysis }) {
  const { state } = analysis;
  const icon =
    state === AnalysisState.SUCCEEDED
      ? "check"
      : state === AnalysisState.FAILED
        ? "alert"
        : state === AnalysisState.CANCELLED
          ? "stop"
          : undefined;
  return (
    <span className="state-mark" data-state={STATES[state]}>
      {icon ? <Icon name={icon} size={14} /> : <span className="state-dot" aria-hidden="true" />}
      {STATES[state]}
    </span>
  );
}

function One({ live, id, onDeleted }: { live: LiveGraph; id: string; onDeleted: () => void }) {
  const queries = useQueryClient();
  const name = `${live.name}/analyses/${id}`;
  const asked = useQuery({
    queryKey: analysisKey(name),
    queryFn: ({ signal }) => analyses.getAnalysis({ name }, { signal }),
  });
  const analysis = asked.data;
  const open = isOpen(analysis);
  useEffect(() => {
    if (!open) return;
    const stop = new AbortController();
    void follow(queries, name, stop.signal);
    return () => stop.abort();
  }, [queries, name, open]);
  if (asked.isError && !analysis)
    return <Failure title="This analysis is not there" error={asked.error} onRetry={() => asked.refetch()} />;
  if (!analysis) return <Waiting />;
  return (
    <div className="analysis-one">
      <div className="analysis-title">
        <h2>{titleOf(analysis.algorithm?.kind.case)}</h2>
        <StateMark analysis={analysis} />
      </div>
      {open && <Running live={live} analysis={analysis} />}
      {analysis.state === AnalysisState.FAILED && (
        <p className="note note-bad" role="alert">
          <Icon name="alert" /> {analysis.error?.message}
        </p>
      )}
      {analysis.state === AnalysisState.CANCELLED && <p className="hint">Somebody ended it.</p>}
      {analysis.state === AnalysisState.SUCCEEDED && <AnalysisResultView live={live} analysis={analysis} />}
      {!open && <Delete live={live} analysis={analysis} onDeleted={onDeleted} />}
    </div>
  );
}

function Running({ live, analysis }: { live: LiveGraph; analysis: Analysis }) {
  const queries = useQueryClient();
  const principal = useStoreValue(session.store, (state) => state.principal);
  const mayCancel = may(principal, AnalysisService.method.cancelAnalysis, live.project);
  const cancel = useMutation({
    mutationFn: () => analyses.cancelAnalysis({ name: analysis.name }),
    onSuccess: (told) => tell(queries, told),
    onError: (error) => toast.error(describe(error)),
  });
  const ending = cancel.isPending || analysis.cancelRequested;
  const { words, share } = progressOf(analysis);
  return (
    <section className="running" role="status" aria-label="Analysis in progress" data-testid="analysing">
      <div className="refresh-progress">
        <progress max={1} value={share} aria-label={words} />
        <span>
          {words}
          {share === undefined ? "…" : `, ${Math.round(share * 100)} %`}
        </span>
      </div>
      {mayCancel && (
        <button
          type="button"
          className="button button-small"
          disabled={ending}
          onClick={() => cancel.mutate()}
        >
          <Icon name="stop" size={14} /> {ending ? "Ending…" : "Cancel"}
        </button>
      )}
    </section>
  );
}

function Delete({
  live,
  analysis,
  onDeleted,
}: {
  live: LiveGraph;
  analysis: Analysis;
  onDeleted: () => void;
}) {
  const queries = useQueryClient();
  const principal = useStoreValue(session.store, (state) => state.principal);
  const remove = useMutation({
    mutationFn: () => analyses.deleteAnalysis({ name: analysis.name }),
    onSuccess: () => {
      if (live.state.get().style.values?.analysis === analysis.name) live.showValues(null);
      queries.setQueryData<Analysis[]>(analysesKey(live.name), (list) =>
        list?.filter((one) => one.name !== analysis.name),
      );
      queries.removeQueries({ queryKey: analysisKey(analysis.name) });
      onDeleted();
    },
    onError: (error) => toast.error(describe(error)),
  });
  if (!may(principal, AnalysisService.method.deleteAnalysis, live.project)) return null;
  return (
    <button
      type="button"
      className="button button-small analysis-delete"
      disabled={remove.isPending}
      onClick={() => remove.mutate()}
    >
      <Icon name="trash" size={14} /> Delete
    </button>
  );
}
