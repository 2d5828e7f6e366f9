// The agents of a project: how they are, which of them a person looks for, and
// how another one joins.
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { palette } from "../app/palette";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { CommandDialog } from "../commands/create-dialog";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { AgentService } from "../gen/weft/agent/v1/agent_service_pb";
import { CommandService } from "../gen/weft/command/v1/command_service_pb";
import { may } from "../rpc/policy";
import { count, lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure } from "../ui/states";
import { EnrolDialog } from "./enrol-dialog";
import { useFleet } from "./live";
import { FleetMap } from "./map";
import {
  countStates,
  groupings,
  matching,
  rows,
  SORTS,
  type SortKey,
  STATES,
  type StateName,
  sort,
} from "./model";
import { StateFilter } from "./parts";
import { FleetTable } from "./table";

const route = getRouteApi("/fleet");
/** Fewer are seen at a glance in the list. */
const WORTH_A_MAP = 20;

export function FleetPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const { principal } = useStore(session.store);
  const mayEnrol = may(principal, AgentService.method.createEnrollmentToken, project);
  const mayCommand = may(principal, CommandService.method.createCommand, project);
  const fleet = useFleet(project);
  const [enrolling, setEnrolling] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [commanding, setCommanding] = useState(false);
  const filter = useDeferredValue(search.q ?? "");
  const states = useMemo(() => statesOf(search.state), [search.state]);
  const [sortKey, descending] = sortOf(search.sort);

  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => setChosen(new Set()), [project]);
  useEffect(() => {
    document.title = "Fleet · weft";
    if (!mayEnrol) return;
    return palette.offer([
      { id: "enrol", title: "Add an agent", icon: "plus", run: () => setEnrolling(true) },
    ]);
  }, [mayEnrol]);

  const all = fleet.agents;
  const counts = useMemo(() => countStates(all.values()), [all]);
  const found = useMemo(
    () => sort(matching(all.values(), filter, states), sortKey, descending),
    [all, filter, states, sortKey, descending],
  );
  const list = useMemo(() => rows(found, search.group), [found, search.group]);
  const groups = useMemo(() => groupings(all.values()), [all]);
  const set = (part: Partial<typeof search>) =>
    navigate({ to: "/fleet", search: (now) => ({ ...now, ...part }), replace: true });
  const open = (agent: Agent) =>
    navigate({ to: "/fleet/$project/$agent", params: { project, agent: lastPart(agent.name) } });
  const isNarrowed = filter !== "" || states.size > 0;

  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker project={project} onPick={(next) => set({ project: next })} />
        <h1>Fleet</h1>
        <ShellTools />
      </header>
      <div className="page-body">
        {fleet.error ? (
          <Failure
            title="The agents cannot be listed"
            error={fleet.error}
            onRetry={() => location.reload()}
          />
        ) : fleet.whole && all.size === 0 ? (
          <NoAgents mayEnrol={mayEnrol} onEnrol={() => setEnrolling(true)} />
        ) : (
          <>
            <StateFilter
              counts={counts}
              chosen={states}
              onChange={(next) => set({ state: [...next].join(",") || undefined })}
            />
            {all.size >= WORTH_A_MAP && <FleetMap agents={found} onOpen={open} />}
            <div className="toolbar">
              <label className="search-field">
                <Icon name="search" />
                <input
                  type="search"
                  placeholder="Name, host, label, version, address"
                  aria-label="Filter agents"
                  value={search.q ?? ""}
                  onChange={(event) => set({ q: event.target.value || undefined })}
                />
              </label>
              <label className="inline-field">
                <span className="hidden-text">Group by</span>
                <select
                  aria-label="Group by"
                  value={search.group ?? ""}
                  onChange={(event) => set({ group: event.target.value || undefined })}
                >
                  <option value="">no groups</option>
                  {groups.map((group) => (
                    <option key={group} value={group}>
                      by {group.replace("label:", "label ")}
                    </option>
                  ))}
                </select>
              </label>
              <span className="toolbar-count" role="status">
                {fleet.whole &&
                  (isNarrowed ? `${count(found.length)} of ${count(all.size)}` : count(all.size))}
                {chosen.size > 0 && `, ${count(chosen.size)} chosen`}
              </span>
              {mayCommand && (
                <button type="button" className="button" onClick={() => setCommanding(true)}>
                  <Icon name="terminal" /> Command
                </button>
              )}
              {mayEnrol && (
                <button type="button" className="button button-primary" onClick={() => setEnrolling(true)}>
                  <Icon name="plus" /> Add an agent
                </button>
              )}
            </div>
            <FleetTable
              project={project}
              rows={list}
              loading={!fleet.whole && all.size === 0}
              sortKey={sortKey}
              descending={descending}
              chosen={mayCommand ? chosen : null}
              onChoose={setChosen}
              onSort={(key) => set({ sort: key === sortKey && !descending ? `-${key}` : key })}
            />
          </>
        )}
      </div>
      {enrolling && <EnrolDialog project={project} onClose={() => setEnrolling(false)} />}
      {commanding && (
        <CommandDialog
          project={project}
          agents={[...chosen]}
          onClose={() => setCommanding(false)}
          onCreated={(name) =>
            navigate({ to: "/commands/$project/$command", params: { project, command: lastPart(name) } })
          }
        />
      )}
    </div>
  );
}

function NoAgents({ mayEnrol, onEnrol }: { mayEnrol: boolean; onEnrol: () => void }) {
  return (
    <Empty icon="hosts" title="No agents here yet">
      <p>
        An agent is a small program on a host, which tells how the host is and does what it is allowed to.
      </p>
      {mayEnrol ? (
        <button type="button" className="button button-primary" onClick={onEnrol}>
          <Icon name="plus" /> Add an agent
        </button>
      ) : (
        <p>An operator of the project can add one.</p>
      )}
    </Empty>
  );
}

function statesOf(text: string | undefined): ReadonlySet<StateName> {
  const asked = (text ?? "").split(",");
  return new Set(STATES.filter((state) => asked.includes(state)));
}

function sortOf(text: string | undefined): [SortKey, boolean] {
  const key = (text ?? "name").replace(/^-/, "") as SortKey;
  return [SORTS.includes(key) ? key : "name", (text ?? "").startsWith("-")];
}
