// What listens on an agent's host, now, and whose it is.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { hosts } from "../rpc/fleet";
import { count } from "../ui/format";
import { accessTo, EVERY_MS, lookFor, orderOf, protocolName, type Sort } from "./host-model";
import { type Column, HostTable } from "./host-table";

const COLUMNS: Column[] = [
  { key: "port", label: "Port", number: true },
  { key: "protocol", label: "Protocol" },
  { key: "address", label: "Address" },
  { key: "process_name", label: "Process" },
  { key: "process_id", label: "PID", number: true },
  { key: "user", label: "User" },
];

export function HostPorts({ agent }: { agent: Agent }) {
  const [sort, setSort] = useState<Sort>({ key: "port", descending: false });
  const [filter, setFilter] = useState("");
  const access = accessTo(agent, "ports");
  const asked = {
    parent: agent.name,
    pageSize: 200,
    orderBy: orderOf(sort),
    filter: lookFor(useDeferredValue(filter), ["process_name", "user", "address"]),
  };
  const list = useQuery({
    queryKey: ["ports", asked],
    queryFn: ({ signal }) => hosts.listPorts(asked, { signal }),
    enabled: access === "open",
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
    retry: false,
  });
  const found = list.data?.ports ?? [];
  return (
    <HostTable
      title="Ports"
      className="ports-table"
      access={access}
      opens="ports = true"
      columns={COLUMNS}
      sort={sort}
      onSort={setSort}
      filter={filter}
      onFilter={setFilter}
      status={list.data ? count(list.data.matchCount) : ""}
      pending={list.isPending}
      error={list.error}
      none="Nothing listens that matches."
      rows={found.map((port) => (
        <div
          key={`${port.protocol} ${port.address} ${port.port} ${port.processId}`}
          className="table-row"
          role="row"
        >
          <div role="cell" className="number">
            <strong>{port.port}</strong>
          </div>
          <div role="cell">{protocolName(port.protocol)}</div>
          <div role="cell">
            <code>{port.address}</code>
          </div>
          <div role="cell">{port.processName || "–"}</div>
          <div role="cell" className="number">
            {port.processId ? String(port.processId) : "–"}
          </div>
          <div role="cell">{port.user}</div>
        </div>
      ))}
    />
  );
}
