// Asking agents to do something: what, of whom, and how carefully. Before it is
// sent the mesh says whom it would reach.
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { CommandPriority, type CommandType } from "../gen/weft/command/v1/command_pb";
import { useDebounced } from "../graph/search";
import { describe } from "../rpc/errors";
import { commands } from "../rpc/fleet";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart, plural } from "../ui/format";
import { Spinner } from "../ui/states";
import { Arguments, WHOLE } from "./arguments";
import { PRIORITIES } from "./model";
import { argumentsOf, fieldsOf, objectOf, type Values } from "./schema";
import { listTypes } from "./types";

interface Props {
  project: string;
  /** Agents that were chosen, by name; a filter is asked for where there are none. */
  agents: readonly string[];
  onClose: () => void;
  onCreated: (name: string) => void;
}

const WAITS = [
  ["an hour", 3_600_000],
  ["a day", 86_400_000],
  ["a week", 604_800_000],
] as const;

export function CommandDialog({ project, agents, onClose, onCreated }: Props) {
  const types = useQuery({
    queryKey: ["command-types", project],
    queryFn: ({ signal }) => listTypes(project, signal),
  });
  const [typeName, setTypeName] = useState<string>();
  const [values, setValues] = useState<Values>({});
  const [filter, setFilter] = useState("");
  const [priority, setPriority] = useState(CommandPriority.NORMAL);
  const [parallel, setParallel] = useState(0);
  const [failures, setFailures] = useState(0);
  const [waitMs, setWaitMs] = useState<number>(WAITS[1][1]);
  const [note, setNote] = useState("");
  // One id for all attempts of this dialog: a repeat after a lost answer is the same command.
  const requestId = useRef(crypto.randomUUID());
  const type = types.data?.find((one) => one.name === typeName) ?? types.data?.[0];
  const byFilter = agents.length === 0;
  const many = byFilter || agents.length > 1;

  const request = (chosen: CommandType, validateOnly: boolean) => {
    const fields = fieldsOf(chosen.argumentsSchema);
    return {
      parent: `projects/${project}`,
      command: {
        commandType: chosen.name,
        arguments: fields === null ? objectOf(values[WHOLE] ?? "") : argumentsOf(fields, values),
        agents: [...agents],
        agentFilter: byFilter ? filter.trim() : "",
        priority,
        maxParallel: many ? parallel : 0,
        stopAfterFailures: many ? failures : 0,
        ttl: durationFromMs(waitMs),
        displayName: note.trim(),
      },
      requestId: validateOnly ? "" : requestId.current,
      validateOnly,
    };
  };
  const create = useMutation({
    mutationFn: async (chosen: CommandType) => commands.createCommand(request(chosen, false)),
    onSuccess: (command) => onCreated(command.name),
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  const asked = useDebounced(filter.trim(), 400);
  const reach = useQuery({
    queryKey: ["command-reach", project, asked],
    enabled: byFilter && asked !== "" && types.data !== undefined,
    retry: false,
    // Asked with a command that has no arguments: only whom it reaches matters.
    queryFn: ({ signal }) =>
      commands.createCommand(
        {
          parent: `projects/${project}`,
          command: { commandType: `projects/${project}/commandTypes/noop`, agentFilter: asked },
          validateOnly: true,
        },
        { signal },
      ),
  });

  return (
    <Dialog title="New command" onClose={onClose} className="command-dialog" sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (type) create.mutate(type);
        }}
      >
        <label>
          What
          <select
            value={type?.name ?? ""}
            disabled={!types.data}
            onChange={(event) => {
              setTypeName(event.target.value);
              setValues({});
            }}
          >
            {types.data?.map((one) => (
              <option key={one.name} value={one.name}>
                {one.displayName || lastPart(one.name)}
              </option>
            ))}
          </select>
          {types.isError ? (
            <small className="field-error">{describe(types.error)}</small>
          ) : (
            <small>{type?.description}</small>
          )}
        </label>
        {type ? (
          <Arguments schema={type.argumentsSchema} values={values} onChange={setValues} />
        ) : (
          types.isPending && <Spinner label="Loading the types" />
        )}
        {byFilter ? (
          <label>
            Which agents
            <input
              required
              spellCheck={false}
              placeholder='labels.site = "north" AND state = online'
              value={filter}
              aria-invalid={reach.isError}
              onChange={(event) => setFilter(event.target.value)}
            />
            {reach.isError ? (
              <small className="field-error">{describe(reach.error)}</small>
            ) : (
              <small role="status">
                {reach.data && asked
                  ? `reaches ${plural(reach.data.targetCount, "agent")} now`
                  : "Fields: name, state, labels.KEY, hostname, os, version, connected and others."}
              </small>
            )}
          </label>
        ) : (
          <p className="hint">
            For {agents.length > 3 ? plural(agents.length, "agent") : agents.map(lastPart).join(", ")}.
          </p>
        )}
        <details className="more">
          <summary>How, and how carefully</summary>
          <div className="form-row">
            <label>
              Priority
              <select value={priority} onChange={(event) => setPriority(Number(event.target.value))}>
                {PRIORITIES.map(([value, label]) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Waits for an agent that is away
              <select value={waitMs} onChange={(event) => setWaitMs(Number(event.target.value))}>
                {WAITS.map(([label, value]) => (
                  <option key={value} value={value}>
                    {label}
                  </option>
                ))}
              </select>
            </label>
          </div>
          {many && (
            <div className="form-row">
              <label>
                At a time
                <input
                  type="number"
                  min={0}
                  value={parallel}
                  onChange={(event) => setParallel(event.target.valueAsNumber || 0)}
                />
                <small>0: all at once</small>
              </label>
              <label>
                Stop after failures
                <input
                  type="number"
                  min={0}
                  value={failures}
                  onChange={(event) => setFailures(event.target.valueAsNumber || 0)}
                />
                <small>0: never</small>
              </label>
            </div>
          )}
          <label>
            What it is for
            <input maxLength={200} value={note} onChange={(event) => setNote(event.target.value)} />
          </label>
        </details>
        <Problem error={create.error} />
        <DialogFoot label="Send" disabled={!type || create.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
