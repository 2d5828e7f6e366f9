// How many runs there may be at once, and how many may start: list, create, change, delete.
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import type { RunLimit } from "../gen/weft/execution/v1/run_limit_pb";
import { executions as client } from "../rpc/executions";
import { may } from "../rpc/policy";
import { DeleteDialog } from "../ui/delete-dialog";
import { count, lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { LimitDialog } from "./limit-dialog";
import { allows, covers, overflowLabel } from "./limits";

const route = getRouteApi("/executions/limits");
/** How many run and wait is asked for again so often. */
const REFRESH_MILLISECONDS = 2_000;

/** All limits of a project. */
async function listLimits(project: string, signal: AbortSignal): Promise<RunLimit[]> {
  const all: RunLimit[] = [];
  let pageToken = "";
  do {
    const page = await client.listRunLimits(
      { parent: `projects/${project}`, pageSize: 1000, pageToken },
      { signal },
    );
    all.push(...page.runLimits);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}

export function LimitsPage() {
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = route.useSearch().project ?? remembered;
  const { principal } = useStore(session.store);
  const allowed = may(principal, ExecutionService.method.createRunLimit, project);
  const [setting, setSetting] = useState<RunLimit | "new" | null>(null);
  const [deleting, setDeleting] = useState<RunLimit | null>(null);
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Limits of runs · weft";
  }, []);
  const list = useQuery({
    queryKey: ["run-limits", project],
    queryFn: ({ signal }) => listLimits(project, signal),
    refetchInterval: REFRESH_MILLISECONDS,
  });
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/executions/limits", search: { project: next } })}
        />
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/executions" search={{ project }}>
            Runs
          </Link>
          <span aria-hidden="true">/</span>
          <h1>Limits</h1>
        </nav>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="stack">
          <div className="toolbar">
            <span className="toolbar-count" role="status">
              {list.data && count(list.data.length)}
            </span>
            {allowed && (
              <button type="button" className="button button-primary" onClick={() => setSetting("new")}>
                <Icon name="plus" /> New limit
              </button>
            )}
          </div>
          {list.isError && !list.data ? (
            <Failure title="The limits cannot be listed" error={list.error} onRetry={() => list.refetch()} />
          ) : list.data?.length === 0 ? (
            <Empty icon="runs" title="Runs of this project are not limited">
              <p>
                A limit says how many runs there may be at once, or start in a time: of all workflows or of
                one, for each customer where you like. It counts at once, also for runs that there are
                already.
              </p>
            </Empty>
          ) : (
            <LimitTable
              limits={list.data}
              allowed={allowed}
              onChange={setSetting}
              onDelete={(limit) => setDeleting(limit)}
            />
          )}
        </div>
      </div>
      {setting && (
        <LimitDialog
          project={project}
          limit={setting === "new" ? undefined : setting}
          onClose={() => setSetting(null)}
        />
      )}
      {deleting && (
        <DeleteDialog
          thing={deleting}
          remove={() => client.deleteRunLimit({ name: deleting.name, etag: deleting.etag })}
          list="run-limits"
          onClose={() => setDeleting(null)}
        >
          What waits for nothing else starts at once.
        </DeleteDialog>
      )}
    </div>
  );
}

function LimitTable({
  limits,
  allowed,
  onChange,
  onDelete,
}: {
  limits: RunLimit[] | undefined;
  allowed: boolean;
  onChange: (limit: RunLimit) => void;
  onDelete: (limit: RunLimit) => void;
}) {
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">Limit</th>
          <th scope="col">Allows</th>
          <th scope="col">A run beyond it</th>
          <th scope="col">Running</th>
          <th scope="col">Waiting</th>
          <th scope="col">
            <span className="hidden-text">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {limits === undefined
          ? [70, 50, 60].map((width) => (
              <tr key={width}>
                <td colSpan={6}>
                  <Skeleton width={`${width}%`} />
                </td>
              </tr>
            ))
          : limits.map((limit) => (
              <tr key={limit.name}>
                <td>
                  <strong>{limit.displayName || lastPart(limit.name)}</strong>
                  <small>{covers(limit)}</small>
                </td>
                <td>{allows(limit)}</td>
                <td>{overflowLabel(limit.overflow)}</td>
                <td>{count(limit.runningCount)}</td>
                <td>{count(limit.waitingCount)}</td>
                <td className="actions">
                  {allowed && (
                    <>
                      <button type="button" className="button button-small" onClick={() => onChange(limit)}>
                        Change
                      </button>{" "}
                      <button type="button" className="button button-small" onClick={() => onDelete(limit)}>
                        Delete
                      </button>
                    </>
                  )}
                </td>
              </tr>
            ))}
      </tbody>
    </table>
  );
}
