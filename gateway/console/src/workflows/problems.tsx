// What is wrong with a workflow, each leading to its place.
import { useState } from "react";
import type { WorkflowFault } from "../gen/weft/execution/v1/execution_pb";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";

interface Props {
  faults: readonly WorkflowFault[];
  checked: boolean;
  onGo: (fault: WorkflowFault) => void;
}

export function Problems({ faults, checked, onGo }: Props) {
  const [open, setOpen] = useState(false);
  const errors = faults.filter((fault) => !fault.warning);
  const title =
    faults.length === 0
      ? "Nothing is wrong"
      : [
          errors.length > 0 && plural(errors.length, "problem"),
          faults.length > errors.length && plural(faults.length - errors.length, "warning"),
        ]
          .filter(Boolean)
          .join(", ");
  return (
    <section className="wf-problems" data-bad={errors.length > 0} aria-label="Problems">
      <button
        type="button"
        className="wf-problems-head"
        aria-expanded={open && faults.length > 0}
        disabled={faults.length === 0}
        onClick={() => setOpen(!open)}
      >
        <Icon name={faults.length === 0 ? "check" : "alert"} />
        <span role="status">{checked ? title : "Checking…"}</span>
        {faults.length > 0 && <Icon name={open ? "down" : "right"} size={14} />}
      </button>
      {open && faults.length > 0 && (
        <ul>
          {[...errors, ...faults.filter((fault) => fault.warning)].map((fault) => (
            <li key={`${fault.node} ${fault.reason} ${fault.port} ${fault.property} ${fault.message}`}>
              <button type="button" onClick={() => onGo(fault)}>
                <code>
                  {[fault.node, fault.port || fault.property].filter(Boolean).join(" · ") || "workflow"}
                </code>
                <span>{fault.message}</span>
                {fault.warning && <small>warning</small>}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
