import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { type RunLimit, RunLimitOverflow } from "../gen/weft/execution/v1/run_limit_pb";
import { executions as client } from "../rpc/executions";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart } from "../ui/format";
import { toast } from "../ui/toast";
import { covers, OVERFLOWS, type Typed, termsOf, typedOf } from "./limits";
import { listWorkflows } from "./workflows";

/** A new limit of runs, or other terms of one. */
export function LimitDialog({
  project,
  limit,
  onClose,
}: {
  project: string;
  limit: RunLimit | undefined;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const workflows = useQuery({
    queryKey: ["workflows", project],
    queryFn: ({ signal }) => listWorkflows(project, signal),
    enabled: limit === undefined,
  });
  const [id, setId] = useState("");
  const [graph, setGraph] = useState("");
  const [key, setKey] = useState("");
  const [typed, setTyped] = useState(() => typedOf(limit));
  const [overflow, setOverflow] = useState(limit?.overflow ?? RunLimitOverflow.WAIT);
  const requestId = useRef(crypto.randomUUID());
  const save = useMutation({
    mutationFn: () => {
      const terms = { ...termsOf(typed), overflow };
      return limit
        ? client.updateRunLimit({
            runLimit: { ...terms, name: limit.name, etag: limit.etag },
            updateMask: { paths: ["max_concurrent", "rate", "overflow"] },
          })
        : client.createRunLimit({
            parent: `projects/${project}`,
            runLimitId: id.trim(),
            runLimit: { ...terms, graph, key: key.trim() },
            requestId: requestId.current,
          });
    },
    onSuccess: (saved) => {
      void queries.invalidateQueries({ queryKey: ["run-limits"] });
      toast.done(`Saved ${lastPart(saved.name)}`);
      onClose();
    },
  });
  const number = (field: keyof Typed, label: string, most: number, placeholder: string, required = false) => (
    <label>
      {label}
      <input
        type="number"
        min={1}
        step={field === "seconds" ? "any" : 1}
        max={most}
        required={required}
        placeholder={placeholder}
        value={typed[field]}
        onChange={(event) => setTyped({ ...typed, [field]: event.target.value })}
      />
    </label>
  );
  return (
    <Dialog title={limit ? `Change ${lastPart(limit.name)}` : "New limit"} onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        {limit ? (
          <p className="hint">Of {covers(limit)}.</p>
        ) : (
          <>
            <label>
              Name
              <input
                required
                pattern="[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?"
                title="Lower-case letters, digits and hyphens"
                placeholder="per-customer"
                value={id}
                onChange={(event) => setId(event.target.value)}
              />
            </label>
            <label>
              Workflow
              <select value={graph} onChange={(event) => setGraph(event.target.value)}>
                <option value="">all of the project</option>
                {workflows.data?.map(({ name, displayName }) => (
                  <option key={name} value={name}>
                    {displayName || lastPart(name)}
                  </option>
                ))}
              </select>
            </label>
            <label>
              For each
              <input
                spellCheck={false}
                placeholder="input.customer"
                value={key}
                onChange={(event) => setKey(event.target.value)}
              />
              <small>An expression over what a run is given. Without one, all runs share the limit.</small>
            </label>
          </>
        )}
        {number("atOnce", "Runs at once", 1_000_000, "as many as there are", typed.starts === "")}
        {number("starts", "Starts", 1_000_000, "as many as there are", typed.atOnce === "")}
        {typed.starts !== "" && (
          <>
            {number("seconds", "in so many seconds", 2_592_000, "60", true)}
            {number("burst", "of them at once", 1_000_000, "all of them")}
          </>
        )}
        <label>
          A run beyond it
          <select value={overflow} onChange={(event) => setOverflow(Number(event.target.value))}>
            {OVERFLOWS.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <Problem error={save.error} />
        <DialogFoot label={limit ? "Save" : "Create"} disabled={save.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
