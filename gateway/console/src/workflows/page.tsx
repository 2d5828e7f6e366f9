// The workflows of a project.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { StartDialog } from "../executions/start-dialog";
import { listWorkflows } from "../executions/workflows";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import type { Graph } from "../gen/weft/graph/v1/graph_pb";
import { GraphService } from "../gen/weft/graph/v1/graph_service_pb";
import { may } from "../rpc/policy";
import { ago, count, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { CreateWorkflowDialog } from "./create-dialog";

const route = getRouteApi("/workflows");

export function WorkflowsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const mayCreate = may(principal, GraphService.method.createGraph, project);
  const mayRun = may(principal, ExecutionService.method.createExecution, project);
  const [creating, setCreating] = useState(false);
  const [running, setRunning] = useState<string>();
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Workflows · weft";
    if (!mayCreate) return;
    return palette.offer([
      { id: "new-workflow", title: "New workflow", icon: "flow", run: () => setCreating(true) },
    ]);
  }, [mayCreate]);
  const list = useQuery({
    queryKey: ["workflows", project],
    queryFn: ({ signal }) => listWorkflows(project, signal),
  });
  const wanted = (search.q ?? "").trim().toLowerCase();
  const found = (list.data ?? []).filter((graph) =>
    `${lastPart(graph.name)} ${graph.displayName} ${graph.description}`.toLowerCase().includes(wanted),
  );
  const create = mayCreate && (
    <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
      <Icon name="plus" /> New workflow
    </button>
  );
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/workflows", search: { project: next } })}
        />
        <h1>Workflows</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="toolbar">
          <div className="search-field">
            <Icon name="search" />
            <input
              type="search"
              aria-label="Filter workflows"
              placeholder="Filter workflows"
              value={search.q ?? ""}
              onChange={(event) =>
                navigate({
                  to: "/workflows",
                  search: { ...search, q: event.target.value || undefined },
                  replace: true,
                })
              }
            />
          </div>
          <span className="toolbar-count" role="status">
            {list.data && count(found.length)}
          </span>
          {create}
        </div>
        {list.isError && !list.data ? (
          <Failure title="The workflows cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.isPending ? (
          <section className="card" aria-label="Loading">
            <Skeleton width="50%" />
            <Skeleton width="35%" />
          </section>
        ) : list.data.length === 0 ? (
          <Empty icon="flow" title="No workflows in this project yet">
            <p>
              Nodes that call, ask, wait and command, joined by what they give each other; drawn here, run
              durably.
            </p>
            {create}
          </Empty>
        ) : found.length === 0 ? (
          <p className="table-none">No workflow matches.</p>
        ) : (
          <ul className="wf-list" aria-label="Workflows">
            {found.map((graph) => (
              <Row
                key={graph.name}
                graph={graph}
                project={project}
                onRun={mayRun ? () => setRunning(lastPart(graph.name)) : undefined}
              />
            ))}
          </ul>
        )}
      </div>
      {creating && (
        <CreateWorkflowDialog
          project={project}
          onClose={() => setCreating(false)}
          onCreated={(name) =>
            navigate({ to: "/workflows/$project/$graph", params: { project, graph: lastPart(name) } })
          }
        />
      )}
      {running !== undefined && (
        <StartDialog
          project={project}
          workflow={running}
          onClose={() => setRunning(undefined)}
          onStarted={(name) =>
            navigate({
              to: "/executions/$project/$execution",
              params: { project, execution: lastPart(name) },
              search: {},
            })
          }
        />
      )}
    </div>
  );
}

function Row({ graph, project, onRun }: { graph: Graph; project: string; onRun?: () => void }) {
  const id = lastPart(graph.name);
  return (
    <li>
      <div>
        <Link to="/workflows/$project/$graph" params={{ project, graph: id }} className="row-link">
          {graph.displayName || id}
        </Link>
        <small>
          {id} · {count(graph.nodeCount)} nodes{" "}
          <span title={when(graph.updateTime)}>· changed {ago(graph.updateTime)}</span>
        </small>
        {graph.description && <small>{graph.description}</small>}
      </div>
      <div className="actions">
        <Link to="/triggers" search={{ project, workflow: id }} className="button button-small">
          <Icon name="bolt" /> Triggers<span className="hidden-text"> of {id}</span>
        </Link>
        <Link to="/executions" search={{ project, workflow: id }} className="button button-small">
          <Icon name="runs" /> Runs<span className="hidden-text"> of {id}</span>
        </Link>
        {onRun && (
          <button type="button" className="button button-small" onClick={onRun}>
            <Icon name="play" /> Run<span className="hidden-text"> {id}</span>
          </button>
        )}
      </div>
    </li>
  );
}
