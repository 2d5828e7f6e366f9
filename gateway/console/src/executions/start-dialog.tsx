// Starting a run: what it is given, by the schema of the workflow's input.
import type { JsonObject } from "@bufbuild/protobuf";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Arguments, WHOLE } from "../commands/arguments";
import { argumentsOf, type Field, fieldsOf, objectOf, type Values } from "../commands/schema";
import { describe, reasonOf } from "../rpc/errors";
import { executions } from "../rpc/executions";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart } from "../ui/format";
import { Spinner } from "../ui/states";
import { inputSchema, listWorkflows } from "./workflows";

interface Props {
  project: string;
  /** Id of the workflow, where it was chosen before. */
  workflow?: string;
  /** What it was given the last time. */
  input?: JsonObject;
  onClose: () => void;
  onStarted: (name: string) => void;
}

export function StartDialog({ project, workflow, input, onClose, onStarted }: Props) {
  const [chosen, setChosen] = useState(workflow);
  const [values, setValues] = useState<Values | null>(null);
  const [title, setTitle] = useState("");
  const [pauses, setPauses] = useState(false);
  // One id for all attempts of this dialog: a repeat after a lost answer starts one run.
  const requestId = useRef(crypto.randomUUID());
  const list = useQuery({
    queryKey: ["workflows", project],
    queryFn: ({ signal }) => listWorkflows(project, signal),
    enabled: workflow === undefined,
  });
  const id = chosen ?? (list.data?.[0] && lastPart(list.data[0].name));
  const graph = `projects/${project}/graphs/${id}`;
  const schema = useQuery({
    queryKey: ["input-schema", graph],
    queryFn: async ({ signal }) => (await inputSchema(graph, signal)) ?? null,
    enabled: id !== undefined,
    staleTime: 0,
  });
  const fields = fieldsOf(schema.data ?? undefined);
  const filled = values ?? initial(input, fields);
  const start = useMutation({
    mutationFn: async () =>
      executions.createExecution({
        parent: `projects/${project}`,
        execution: {
          graph,
          input: fields === null ? objectOf(filled[WHOLE] ?? "", "Input") : argumentsOf(fields, filled),
          displayName: title.trim(),
          pauseOnFailure: pauses,
        },
        requestId: requestId.current,
      }),
    onSuccess: (execution) => onStarted(execution.name),
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  const isWrong = reasonOf(start.error) === "WORKFLOW_INVALID";
  return (
    <Dialog title="Run a workflow" onClose={onClose} className="command-dialog" sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate();
        }}
      >
        {workflow === undefined && (
          <label>
            Workflow
            <select
              value={id ?? ""}
              disabled={!list.data}
              onChange={(event) => {
                setChosen(event.target.value);
                setValues(null);
              }}
            >
              {list.data?.map((one) => (
                <option key={one.name} value={lastPart(one.name)}>
                  {one.displayName || lastPart(one.name)}
                </option>
              ))}
            </select>
            {list.isError && <small className="field-error">{describe(list.error)}</small>}
            {list.data?.length === 0 && <small>There are no workflows in this project yet.</small>}
          </label>
        )}
        {schema.isPending && id !== undefined ? (
          <Spinner label="Loading what it takes" />
        ) : schema.isError ? (
          <p className="field-error">{describe(schema.error)}</p>
        ) : (
          id !== undefined && (
            <Arguments label="Input" schema={schema.data ?? undefined} values={filled} onChange={setValues} />
          )
        )}
        <details className="more">
          <summary>More</summary>
          <label>
            Name for people
            <input maxLength={200} value={title} onChange={(event) => setTitle(event.target.value)} />
          </label>
          <label className="check">
            <input type="checkbox" checked={pauses} onChange={(event) => setPauses(event.target.checked)} />
            <span>
              Pause instead of failing <small>a person then mends what is wrong and lets it go on</small>
            </span>
          </label>
        </details>
        <Problem error={start.error} />
        {isWrong && id && (
          <Link to="/workflows/$project/$graph" params={{ project, graph: id }}>
            Open the workflow
          </Link>
        )}
        <DialogFoot
          label="Run"
          disabled={id === undefined || schema.isPending || start.isPending}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  );
}

/** What the fields begin with. */
function initial(input: JsonObject | undefined, fields: readonly Field[] | null): Values {
  if (!input) return {};
  if (fields === null) return { [WHOLE]: JSON.stringify(input, null, 2) };
  return Object.fromEntries(
    fields
      .filter((field) => field.key in input)
      .map(({ key, kind }) => {
        const value = input[key];
        if (kind === "words" && Array.isArray(value)) return [key, value.join("\n")];
        return [key, typeof value === "string" && kind !== "json" ? value : JSON.stringify(value)];
      }),
  );
}
