// One agent: how it is, what it runs on, what it was asked to do, and what an
// operator does with it.
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import { CommandDialog } from "../commands/create-dialog";
import { CommandRows } from "../commands/rows";
import { type Agent, AgentKind } from "../gen/weft/agent/v1/agent_pb";
import { AgentService } from "../gen/weft/agent/v1/agent_service_pb";
import { HostService } from "../gen/weft/agent/v1/host_service_pb";
import { CommandService } from "../gen/weft/command/v1/command_service_pb";
import { TelemetryService } from "../gen/weft/telemetry/v1/telemetry_service_pb";
import { describe } from "../rpc/errors";
import { agents as agentClient, commands } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { ago, bytes, count, duration, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { DeleteAgentDialog, EditAgentDialog, MaintenanceDialog } from "./dialogs";
import { tell, useFleet, useHeartbeats } from "./live";
import { reasonOf, roundTripMs, stateOf, titleOf } from "./model";
import { Labels, State } from "./parts";

// What draws them is fetched while the rest is read.
const HostCharts = lazy(async () => ({ default: (await import("../telemetry/host-charts")).HostCharts }));

const HostProcesses = lazy(async () => ({ default: (await import("./host-processes")).HostProcesses }));
const HostServices = lazy(async () => ({ default: (await import("./host-services")).HostServices }));
const HostKnowledge = lazy(async () => ({ default: (await import("./host-knowledge")).HostKnowledge }));
const CollectorParts = lazy(async () => ({ default: (await import("./collector")).CollectorParts }));
const HostPorts = lazy(async () => ({ default: (await import("./host-ports")).HostPorts }));

const route = getRouteApi("/fleet/$project/$agent");
const COMMANDS = 20;

export function AgentPage() {
  const { project, agent: id } = route.useParams();
  const name = `projects/${project}/agents/${id}`;
  const fleet = useFleet(project);
  const agent = useHeartbeats(fleet.agents.get(name));
  useEffect(() => currentProject.set(project), [project]);
  const title = agent ? titleOf(agent) : id;
  useEffect(() => {
    document.title = `${title} · weft`;
  }, [title]);
  return (
    <div className="page">
      <header className="bar">
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/fleet" search={{ project }}>
            Fleet
          </Link>
          <span aria-hidden="true">/</span>
          <h1>{title}</h1>
        </nav>
        {agent && <State agent={agent} />}
        <ShellTools />
      </header>
      <div className="page-body">
        {agent ? (
          <Details agent={agent} project={project} />
        ) : fleet.error ? (
          <Failure title="The agent cannot be shown" error={fleet.error} />
        ) : fleet.whole ? (
          <Empty icon="hosts" title="There is no such agent">
            <p>It was removed, or has never been in this project.</p>
          </Empty>
        ) : (
          <section className="card">
            <Skeleton width="40%" />
            <Skeleton width="60%" />
          </section>
        )}
      </div>
    </div>
  );
}

type Open = "command" | "edit" | "maintenance" | "delete" | null;

function Details({ agent, project }: { agent: Agent; project: string }) {
  const navigate = useNavigate();
  const { principal } = useStore(session.store);
  const mayChange = may(principal, AgentService.method.updateAgent, project);
  const mayCommand = may(principal, CommandService.method.createCommand, project);
  const mayMeasure = may(principal, TelemetryService.method.watchQuery, project);
  const mayLook = may(principal, HostService.method.listProcesses, project);
  const [open, setOpen] = useState<Open>(null);
  const close = () => setOpen(null);
  return (
    <>
      <div className="toolbar agent-tools">
        <p className="agent-state">
          {stateOf(agent)}: {reasonOf(agent)}, {ago(agent.stateTime)}
        </p>
        {mayCommand && agent.kind !== AgentKind.COLLECTOR && (
          <button type="button" className="button button-primary" onClick={() => setOpen("command")}>
            <Icon name="terminal" /> Command
          </button>
        )}
        {mayChange && (
          <>
            <button type="button" className="button" onClick={() => setOpen("edit")}>
              <Icon name="pencil" /> Edit
            </button>
            <MaintenanceButton agent={agent} onStart={() => setOpen("maintenance")} />
            <button type="button" className="button" onClick={() => setOpen("delete")}>
              <Icon name="trash" /> Remove
            </button>
          </>
        )}
      </div>
      <Troubles agent={agent} mayChange={mayChange} />
      <div className="agent-cards">
        <Host agent={agent} />
        <Connection agent={agent} />
      </div>
      {mayMeasure && agent.kind !== AgentKind.COLLECTOR && (
        <Suspense>
          <HostCharts project={project} host={lastPart(agent.name)} />
        </Suspense>
      )}
      {agent.kind === AgentKind.COLLECTOR && (
        <Suspense>
          <CollectorParts agent={agent} project={project} />
        </Suspense>
      )}
      {mayLook && agent.kind !== AgentKind.COLLECTOR && (
        <Suspense>
          <HostServices agent={agent} project={project} />
          <HostProcesses agent={agent} project={project} />
          <HostPorts agent={agent} />
          <HostKnowledge agent={agent} />
        </Suspense>
      )}
      {agent.kind !== AgentKind.COLLECTOR && <Commands agent={agent} project={project} />}
      {open === "command" && (
        <CommandDialog
          project={project}
          agents={[agent.name]}
          onClose={close}
          onCreated={(name) =>
            navigate({ to: "/commands/$project/$command", params: { project, command: lastPart(name) } })
          }
        />
      )}
      {open === "edit" && <EditAgentDialog agent={agent} onClose={close} />}
      {open === "maintenance" && <MaintenanceDialog agent={agent} onClose={close} />}
      {open === "delete" && (
        <DeleteAgentDialog
          agent={agent}
          onClose={close}
          onDeleted={() => navigate({ to: "/fleet", search: { project } })}
        />
      )}
    </>
  );
}

function MaintenanceButton({ agent, onStart }: { agent: Agent; onStart: () => void }) {
  const end = useMutation({
    mutationFn: () => agentClient.endMaintenance({ name: agent.name }),
    onSuccess: tell,
    onError: (error) => toast.error(describe(error)),
  });
  return agent.maintenance ? (
    <button type="button" className="button" disabled={end.isPending} onClick={() => end.mutate()}>
      <Icon name="play" /> End maintenance
    </button>
  ) : (
    <button type="button" className="button" onClick={onStart}>
      <Icon name="pause" /> Maintenance
    </button>
  );
}

/** What a person should see to, where there is something. */
function Troubles({ agent, mayChange }: { agent: Agent; mayChange: boolean }) {
  const clear = useMutation({
    mutationFn: () => agentClient.clearKeyConflict({ name: agent.name }),
    onSuccess: tell,
    onError: (error) => toast.error(describe(error)),
  });
  const { maintenance, keyConflict: conflict } = agent;
  return (
    <>
      {maintenance && (
        <p className="note">
          <Icon name="pause" />
          <span>
            Taken out {ago(maintenance.startTime)} by <code>{maintenance.creator}</code>
            {maintenance.reason && `: ${maintenance.reason}`}
          </span>
        </p>
      )}
      {conflict && (
        <div className="note note-warn" role="alert">
          <Icon name="alert" />
          <span>
            Its key is used from two places, {count(conflict.count)} times, last {ago(conflict.lastSeenTime)}:
            from <code>{conflict.held?.address || conflict.held?.hostname}</code>, which is connected, and
            from <code>{conflict.refused?.address || conflict.refused?.hostname}</code>, which was refused.
            Somebody has copied the key, or the disk that it is on.
          </span>
          {mayChange && (
            <button
              type="button"
              className="button button-small"
              disabled={clear.isPending}
              onClick={() => clear.mutate()}
            >
              I have seen to it
            </button>
          )}
        </div>
      )}
      {agent.problems.map((problem) => (
        <p key={problem} className="note note-warn">
          <Icon name="alert" />
          <span>{problem}</span>
        </p>
      ))}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children || "–"}</dd>
    </div>
  );
}

function Host({ agent }: { agent: Agent }) {
  const { host } = agent;
  return (
    <section className="card" aria-label="Host">
      <h2>Host</h2>
      <dl className="facts">
        <Fact name="Name">{host?.hostname}</Fact>
        <Fact name="System">{host?.osVersion || host?.os}</Fact>
        <Fact name="Kernel">{host?.kernel}</Fact>
        <Fact name="Processors">
          {host && host.cpuCount > 0 && `${count(host.cpuCount)} × ${host.architecture}`}
        </Fact>
        <Fact name="Memory">{host && host.memoryBytes > 0n && bytes(Number(host.memoryBytes))}</Fact>
        <Fact name="Labels">
          <Labels labels={agent.labels} />
        </Fact>
      </dl>
    </section>
  );
}

function Connection({ agent }: { agent: Agent }) {
  const { session: held } = agent;
  const trip = roundTripMs(agent);
  return (
    <section className="card" aria-label="Agent">
      <h2>Agent</h2>
      <dl className="facts">
        <Fact name="Kind">{agent.kind === AgentKind.COLLECTOR ? "OpenTelemetry collector" : "Host"}</Fact>
        <Fact name="Version">{agent.version}</Fact>
        <Fact name="Can do">{agent.capabilities.join(", ")}</Fact>
        <Fact name="Connected">
          {held && (
            <span title={when(held.startTime)}>
              {ago(held.startTime)} from {held.address || "an unknown address"}
            </span>
          )}
        </Fact>
        <Fact name="Last seen">
          <span title={when(agent.lastSeenTime)}>{ago(agent.lastSeenTime)}</span>
        </Fact>
        <Fact name="Round trip">
          {trip !== undefined && (trip < 10 ? `${trip.toFixed(1)} ms` : duration(trip))}
        </Fact>
        <Fact name="Key">
          <code>{agent.keyId}</code>
        </Fact>
        <Fact name="Joined">
          <span title={when(agent.createTime)}>
            {ago(agent.createTime)} with {lastPart(agent.enrollmentToken)}
          </span>
        </Fact>
      </dl>
    </section>
  );
}

function Commands({ agent, project }: { agent: Agent; project: string }) {
  const list = useQuery({
    queryKey: ["commands", project, "agent", agent.name],
    queryFn: ({ signal }) =>
      commands.listCommands(
        { parent: `projects/${project}`, filter: `agents:"${agent.name}"`, pageSize: COMMANDS },
        { signal },
      ),
    refetchInterval: 5_000,
  });
  const found = list.data?.commands ?? [];
  return (
    <section className="agent-commands" aria-label="Commands">
      <h2>Commands</h2>
      {list.isError && !list.data ? (
        <p className="field-error">{describe(list.error)}</p>
      ) : found.length === 0 ? (
        <p className="hint">{list.isPending ? "Loading" : "It was asked for nothing by name yet."}</p>
      ) : (
        <CommandRows project={project} commands={found} />
      )}
    </section>
  );
}
