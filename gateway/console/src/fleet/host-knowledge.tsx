// Notes, documents and tables in the folders that a host's owner has opened.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { hosts } from "../rpc/fleet";
import { ago, bytes, count, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { accessTo, fileKindName, orderOf, type Sort } from "./host-model";
import { type Column, HostTable } from "./host-table";
import { KnowledgeFileDialog } from "./knowledge-file-dialog";

const COLUMNS: Column[] = [
  { key: "title", label: "Title" },
  { key: "path", label: "Path" },
  { key: "kind", label: "Kind" },
  { key: "size_bytes", label: "Size", number: true },
  { key: "update_time", label: "Written", number: true },
];
const SHOWN = 200;
/** Files change more slowly than processes, and looking at them costs the host more. */
const EVERY_MS = 10_000;

export function HostKnowledge({ agent }: { agent: Agent }) {
  // Nobody has chosen an order: the best first where something is looked for, by path otherwise.
  const [sort, setSort] = useState<Sort>({ key: "", descending: false });
  const [search, setSearch] = useState("");
  const [shown, setShown] = useState<string | null>(null);
  const access = accessTo(agent, "knowledge");
  const asked = {
    parent: agent.name,
    pageSize: SHOWN,
    orderBy: orderOf(sort),
    search: useDeferredValue(search).slice(0, 200),
  };
  const options = { enabled: access === "open", refetchInterval: EVERY_MS, retry: false };
  const list = useQuery({
    queryKey: ["knowledge", asked],
    queryFn: ({ signal }) => hosts.listKnowledgeFiles(asked, { signal }),
    placeholderData: keepPreviousData,
    ...options,
  });
  const statistics = useQuery({
    queryKey: ["knowledge-statistics", agent.name],
    queryFn: ({ signal }) => hosts.getKnowledgeStatistics({ parent: agent.name }, { signal }),
    ...options,
  });
  // Most hosts have none: nothing is said of what nobody has asked for.
  if (!agent.capabilities.includes("host:knowledge")) return null;
  const found = list.data?.knowledgeFiles ?? [];
  const there = list.data?.matchCount ?? 0;
  const told = there > found.length ? `${found.length} of ${count(there)}` : count(there);
  const troubled = (statistics.data?.folders ?? []).filter(({ problem }) => problem !== "");
  return (
    <>
      <HostTable
        title="Knowledge files"
        className="knowledge-table"
        access={access}
        opens="[[knowledge]]"
        columns={COLUMNS}
        sort={sort}
        onSort={setSort}
        filter={search}
        onFilter={setSearch}
        status={list.data ? `${told}${list.data.scanning ? ", still looking" : ""}` : ""}
        pending={list.isPending}
        error={list.error}
        none={search.trim() === "" ? "There are no knowledge files." : "No knowledge file matches."}
        rows={found.map((file) => (
          <div key={file.name} className="table-row" role="row">
            <div role="cell" title={file.title}>
              <button type="button" className="link" onClick={() => setShown(file.name)}>
                {file.title}
              </button>{" "}
              <small className="inline">{file.tags.map((tag) => `#${tag}`).join(" ")}</small>
            </div>
            <div role="cell" title={`${file.folder}: ${file.path}`}>
              <code>{file.path}</code>
            </div>
            <div role="cell" title={file.problem}>
              {fileKindName(file.kind)}
              {file.problem !== "" && <Icon name="alert" />}
            </div>
            <div role="cell" className="number">
              {bytes(Number(file.sizeBytes))}
            </div>
            <div role="cell" className="number" title={when(file.updateTime)}>
              {ago(file.updateTime)}
            </div>
          </div>
        ))}
      />
      {access === "open" &&
        troubled.map(({ folder, problem }) => (
          <p key={folder} className="note note-warn">
            <Icon name="alert" />
            <span>
              The folder <code>{folder}</code>: {problem}
            </span>
          </p>
        ))}
      {shown && <KnowledgeFileDialog agent={agent} name={shown} onClose={() => setShown(null)} />}
    </>
  );
}
