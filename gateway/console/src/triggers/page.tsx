// The triggers of a project: what starts its workflows besides people, when next, and what came last.
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { TriggerService } from "../gen/weft/trigger/v1/trigger_service_pb";
import { may } from "../rpc/policy";
import { count, lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";
import { useTriggers } from "./live";
import { matches } from "./model";
import { TriggerTable } from "./table";
import { TriggerDialog } from "./trigger-dialog";

const route = getRouteApi("/triggers");

export function TriggersPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { workflow, make } = search;
  const { principal } = useStore(session.store);
  const mayChange = may(principal, TriggerService.method.createTrigger, project);
  const set = (part: Partial<typeof search>) =>
    navigate({ to: "/triggers", search: (before) => ({ ...before, ...part }), replace: true });
  const begin = () => set({ make: true });

  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Triggers · weft";
    if (!mayChange) return;
    return palette.offer([
      {
        id: "new-trigger",
        title: "New trigger",
        icon: "bolt",
        run: () =>
          void navigate({ to: "/triggers", search: (before) => ({ ...before, make: true }), replace: true }),
      },
    ]);
  }, [mayChange, navigate]);

  const list = useTriggers(project);
  const ofWorkflow = (list.data ?? []).filter(({ graph }) => !workflow || lastPart(graph) === workflow);
  const wanted = (search.q ?? "").trim().toLowerCase();
  const found = ofWorkflow.filter((trigger) => matches(trigger, wanted));
  const create = mayChange && (
    <button type="button" className="button button-primary" onClick={begin}>
      <Icon name="plus" /> New trigger
    </button>
  );
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/triggers", search: { project: next } })}
        />
        <h1>Triggers</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        <div className="toolbar">
          <div className="search-field">
            <Icon name="search" />
            <input
              type="search"
              aria-label="Filter triggers"
              placeholder="Name, workflow, kind or state"
              value={search.q ?? ""}
              onChange={(event) => set({ q: event.target.value || undefined })}
            />
          </div>
          {workflow && (
            <span className="filter-chip">
              of{" "}
              <Link to="/workflows/$project/$graph" params={{ project, graph: workflow }}>
                {workflow}
              </Link>
              <button
                type="button"
                className="icon-button"
                aria-label="Show those of all workflows"
                onClick={() => set({ workflow: undefined })}
              >
                <Icon name="close" />
              </button>
            </span>
          )}
          <span className="toolbar-count" role="status">
            {list.data && count(found.length)}
          </span>
          <Link to="/dead-letters" search={{ project }} className="button">
            <Icon name="alert" /> Dead letters
          </Link>
          {create}
        </div>
        {list.isError && !list.data ? (
          <Failure title="The triggers cannot be listed" error={list.error} onRetry={() => list.refetch()} />
        ) : list.data && ofWorkflow.length === 0 && wanted === "" ? (
          <Empty
            icon="bolt"
            title={
              workflow ? `Nothing starts ${workflow} by itself` : "Nothing starts a workflow by itself yet"
            }
          >
            <p>
              A trigger does: a webhook when somebody calls it, a schedule at its times, an event when it
              happens.
            </p>
            {create}
          </Empty>
        ) : (
          <TriggerTable project={project} triggers={found} isPending={list.isPending} />
        )}
      </div>
      {make && mayChange && (
        <TriggerDialog
          project={project}
          workflow={workflow}
          onClose={() => set({ make: undefined })}
          onSaved={(trigger) =>
            navigate({
              to: "/triggers/$project/$trigger",
              params: { project, trigger: lastPart(trigger.name) },
              search: {},
            })
          }
        />
      )}
    </div>
  );
}
