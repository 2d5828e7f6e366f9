// What an agent keeps running on its host: how each is, its buttons, and its log.
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { HostService } from "../gen/weft/agent/v1/host_service_pb";
import { type Service, ServiceState } from "../gen/weft/agent/v1/service_pb";
import { describe } from "../rpc/errors";
import { hosts } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { ago, count, lastPart, when } from "../ui/format";
import { Icon, type IconName } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { accessTo, EVERY_MS, serviceStateName } from "./host-model";
import { ServiceLog } from "./service-log";

/** A state is never told by its colour alone. */
const SHAPES: Record<string, string> = {
  stopped: "○",
  starting: "◐",
  running: "●",
  unhealthy: "▲",
  "backing off": "◑",
  failed: "▲",
  stopping: "◐",
};

export function HostServices({ agent, project }: { agent: Agent; project: string }) {
  const { principal } = useStore(session.store);
  const mayChange = may(principal, HostService.method.startService, project);
  const [shown, setShown] = useState<string | null>(null);
  const [search, setSearch] = useState("");
  const access = accessTo(agent, "services");
  const list = useQuery({
    queryKey: ["services", agent.name],
    queryFn: ({ signal }) => hosts.listServices({ parent: agent.name, pageSize: 256 }, { signal }),
    enabled: access === "open",
    refetchInterval: EVERY_MS,
    retry: false,
  });
  const found = list.data?.services ?? [];
  // Most hosts have none: nothing is said of what nobody has asked for.
  if (access === "old" || access === "closed") return null;
  return (
    <section className="host-part" aria-label="Services">
      <header className="host-head">
        <h2>Services</h2>
        <span className="toolbar-count">{list.data && access === "open" ? count(found.length) : ""}</span>
      </header>
      {access === "offline" ? (
        <p className="hint">The agent is offline: its services are not known, and end with it.</p>
      ) : list.error && found.length === 0 ? (
        <p className="field-error" role="alert">
          {describe(list.error)}
        </p>
      ) : list.isPending ? (
        <Skeleton width="60%" />
      ) : found.length === 0 ? (
        <p className="hint">
          It keeps none yet. <code>weft agents services create</code> adds one, and so does{" "}
          <code>[[services]]</code> in its <code>agent.toml</code>.
        </p>
      ) : (
        <div className="table host-table services-table" role="table" aria-label="Services">
          <div className="table-head" role="row">
            {["Service", "State", "Since", "PID", "Restarts"].map((label) => (
              <div
                key={label}
                role="columnheader"
                className={label === "PID" || label === "Restarts" ? "number" : ""}
              >
                {label}
              </div>
            ))}
            <div role="columnheader">
              <span className="hidden-text">Actions</span>
            </div>
          </div>
          <div role="rowgroup">
            {found.map((service) => (
              <Row
                key={service.name}
                service={service}
                mayChange={mayChange}
                isShown={shown === service.name}
                onShow={() => setShown(shown === service.name ? null : service.name)}
                onChanged={() => list.refetch()}
              />
            ))}
          </div>
        </div>
      )}
      {shown && access === "open" && (
        <div className="service-log-part">
          <header className="host-head">
            <h3>Log of {lastPart(shown)}</h3>
            <input
              type="search"
              spellCheck={false}
              placeholder="Search"
              aria-label="Search the log"
              value={search}
              onChange={(event) => setSearch(event.target.value)}
            />
          </header>
          <ServiceLog key={shown} name={shown} search={search} />
        </div>
      )}
    </section>
  );
}

interface RowProps {
  service: Service;
  mayChange: boolean;
  isShown: boolean;
  onShow: () => void;
  onChanged: () => void;
}

function Row({ service, mayChange, isShown, onShow, onChanged }: RowProps) {
  const id = lastPart(service.name);
  const state = serviceStateName(service.state);
  const change = useMutation({
    mutationFn: (what: "start" | "stop" | "restart") => {
      const { name } = service;
      if (what === "start") return hosts.startService({ name });
      if (what === "stop") return hosts.stopService({ name });
      return hosts.restartService({ name, requestId: crypto.randomUUID() });
    },
    onSuccess: onChanged,
    onError: (error) => toast.error(describe(error)),
  });
  const isDown = service.state === ServiceState.STOPPED || service.state === ServiceState.FAILED;
  const button = (label: string, icon: IconName, what: "start" | "stop" | "restart") => (
    <button
      type="button"
      className="icon-button"
      aria-label={`${label} ${id}`}
      title={label}
      disabled={change.isPending}
      onClick={() => change.mutate(what)}
    >
      <Icon name={icon} />
    </button>
  );
  const command = [service.program, ...service.arguments].join(" ");
  return (
    <div role="row" className="table-row">
      <div role="cell" title={command}>
        <strong>{service.displayName || id}</strong> <small className="inline">{command}</small>
      </div>
      <div role="cell" title={service.stateMessage}>
        <span className="state" data-state={service.state === ServiceState.RUNNING ? "online" : state}>
          <span aria-hidden="true">{SHAPES[state]}</span> {state}
        </span>
        {service.exitCode !== undefined && isDown && (
          <small className="inline">exit {service.exitCode}</small>
        )}
      </div>
      <div role="cell" title={when(service.stateTime)}>
        {ago(service.stateTime)}
      </div>
      <div role="cell" className="number">
        {service.processId ? String(service.processId) : "–"}
      </div>
      <div role="cell" className="number">
        {count(service.restartCount)}
      </div>
      <div role="cell" className="actions">
        {mayChange && (
          <>
            {service.wanted && !isDown ? button("Stop", "stop", "stop") : button("Start", "play", "start")}
            {button("Restart", "refresh", "restart")}
          </>
        )}
        <button
          type="button"
          className="icon-button"
          aria-label={`Log of ${id}`}
          aria-pressed={isShown}
          title="Log"
          onClick={onShow}
        >
          <Icon name="terminal" />
        </button>
      </div>
    </div>
  );
}
