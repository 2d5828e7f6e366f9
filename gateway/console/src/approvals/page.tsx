// What waits for a person: every question that a run of the project asks, with the form of its answer.
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { Decide } from "../executions/decide";
import { runTitle, stepNumber } from "../executions/model";
import type { Approval } from "../gen/weft/execution/v1/execution_pb";
import { ExecutionService } from "../gen/weft/execution/v1/execution_service_pb";
import { executions as client } from "../rpc/executions";
import { may } from "../rpc/policy";
import { ago, count, lastPart, when } from "../ui/format";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";

const route = getRouteApi("/approvals");
const PAGE = 20;
/** Questions come and go: while few are loaded they are asked for again so often. */
const REFRESH_MILLISECONDS = 3_000;
const REFRESHED_PAGES = 2;

export function ApprovalsPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const mayDecide = may(principal, ExecutionService.method.decideApproval, project);
  const list = useInfiniteQuery({
    queryKey: ["approvals", project],
    queryFn: ({ pageParam, signal }) =>
      client.listApprovals(
        { parent: `projects/${project}`, pageSize: PAGE, pageToken: pageParam },
        { signal },
      ),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextPageToken || undefined,
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) <= REFRESHED_PAGES ? REFRESH_MILLISECONDS : false,
  });
  const found = list.data?.pages.flatMap((page) => page.approvals) ?? [];
  const waiting = found.length;
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Approvals · weft` : "Approvals · weft";
  }, [waiting]);
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/approvals", search: { project: next } })}
        />
        <h1>Approvals</h1>
        <span className="bar-counts" role="status">
          {list.data && `${count(waiting)}${list.hasNextPage ? "+" : ""} waiting`}
        </span>
        <ShellTools />
      </header>
      <div className="page-body">
        {list.isError && !list.data ? (
          <Failure title="The approvals cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.isPending ? (
          <section className="card" aria-label="Loading">
            <Skeleton width="50%" />
            <Skeleton width="30%" />
          </section>
        ) : waiting === 0 ? (
          <Empty icon="inbox" title="Nothing waits for a person">
            <p>A workflow with a node of the kind approval asks here, and goes on with the answer.</p>
          </Empty>
        ) : (
          <>
            <ul className="approvals" aria-label="Approvals">
              {found.map((approval) => (
                <Question
                  key={approval.step?.name}
                  approval={approval}
                  project={project}
                  mayDecide={mayDecide}
                  onDecided={(approved) => {
                    toast.done(approved ? "Approved" : "Rejected");
                    void list.refetch();
                  }}
                />
              ))}
            </ul>
            {list.hasNextPage && (
              <button
                type="button"
                className="button"
                disabled={list.isFetching}
                onClick={() => list.fetchNextPage()}
              >
                Show more
              </button>
            )}
          </>
        )}
      </div>
    </div>
  );
}

interface QuestionProps {
  approval: Approval;
  project: string;
  mayDecide: boolean;
  onDecided: (approved: boolean) => void;
}

function Question({ approval: { execution, step }, project, mayDecide, onDecided }: QuestionProps) {
  if (!execution || !step) return null;
  return (
    <li className="approval">
      <p className="hint">
        <Link
          to="/executions/$project/$execution"
          params={{ project, execution: lastPart(execution.name) }}
          search={{ step: stepNumber(step) }}
        >
          {runTitle(execution)}
        </Link>{" "}
        of {lastPart(execution.graph)} asks in <code>{step.path}</code>,{" "}
        <span title={when(step.createTime)}>{ago(step.createTime)}</span>; started by{" "}
        {lastPart(execution.creator)}
      </p>
      <Decide step={step} mayDecide={mayDecide} onDecided={onDecided} />
    </li>
  );
}
