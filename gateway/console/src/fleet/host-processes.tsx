// What runs on an agent's host, now.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import type { Process } from "../gen/weft/agent/v1/host_pb";
import { HostService } from "../gen/weft/agent/v1/host_service_pb";
import { hosts } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { ago, bytes, count, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { accessTo, EVERY_MS, lookFor, orderOf, percent, processState, type Sort } from "./host-model";
import { type Column, HostTable } from "./host-table";
import { StopProcessDialog } from "./stop-process-dialog";

const COLUMNS: Column[] = [
  { key: "name", label: "Name" },
  { key: "process_id", label: "PID", number: true },
  { key: "user", label: "User" },
  { key: "cpu_ratio", label: "CPU", number: true },
  { key: "resident_bytes", label: "Memory", number: true },
  { key: "thread_count", label: "Threads", number: true },
  { key: "start_time", label: "Started", number: true },
];
const SHOWN = 50;

export function HostProcesses({ agent, project }: { agent: Agent; project: string }) {
  const { principal } = useStore(session.store);
  const [sort, setSort] = useState<Sort>({ key: "cpu_ratio", descending: true });
  const [filter, setFilter] = useState("");
  const [stopping, setStopping] = useState<Process | null>(null);
  const access = accessTo(agent, "processes");
  const mayStop =
    accessTo(agent, "stop-process") === "open" && may(principal, HostService.method.stopProcess, project);
  const asked = {
    parent: agent.name,
    pageSize: SHOWN,
    orderBy: orderOf(sort),
    filter: lookFor(useDeferredValue(filter), ["name", "command_line", "user"]),
  };
  const list = useQuery({
    queryKey: ["processes", asked],
    queryFn: ({ signal }) => hosts.listProcesses(asked, { signal }),
    enabled: access === "open",
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
    retry: false,
  });
  const found = list.data?.processes ?? [];
  const there = list.data?.matchCount ?? 0;
  return (
    <>
      <HostTable
        title="Processes"
        className={mayStop ? "processes-table with-actions" : "processes-table"}
        access={access}
        opens="processes = true"
        columns={COLUMNS}
        hasActions={mayStop}
        sort={sort}
        onSort={setSort}
        filter={filter}
        onFilter={setFilter}
        status={list.data ? (there > found.length ? `${found.length} of ${count(there)}` : count(there)) : ""}
        pending={list.isPending}
        error={list.error}
        none="No process matches."
        rows={found.map((process) => (
          <div key={`${process.processId} ${when(process.startTime)}`} className="table-row" role="row">
            <div role="cell" title={process.commandLine || process.name}>
              <strong>{process.name}</strong> <small className="inline">{process.commandLine}</small>
            </div>
            <div role="cell" className="number">
              {String(process.processId)}
            </div>
            <div role="cell">{process.user}</div>
            <div role="cell" className="number" title={processState(process.state)}>
              {percent(process.cpuRatio)}
            </div>
            <div role="cell" className="number">
              {bytes(Number(process.residentBytes))}
            </div>
            <div role="cell" className="number">
              {count(process.threadCount)}
            </div>
            <div role="cell" className="number" title={when(process.startTime)}>
              {ago(process.startTime)}
            </div>
            {mayStop && (
              <div role="cell" className="actions">
                <button
                  type="button"
                  className="icon-button"
                  aria-label={`Stop ${process.name}, ${process.processId}`}
                  title="Stop"
                  onClick={() => setStopping(process)}
                >
                  <Icon name="stop" />
                </button>
              </div>
            )}
          </div>
        ))}
      />
      {stopping && (
        <StopProcessDialog
          agent={agent}
          process={stopping}
          onClose={() => setStopping(null)}
          onStopped={() => list.refetch()}
        />
      )}
    </>
  );
}
