// What a person is asked, and the form of the answer.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Arguments, WHOLE } from "../commands/arguments";
import { argumentsOf, fieldsOf, objectOf, type Values } from "../commands/schema";
import type { Step } from "../gen/weft/execution/v1/execution_pb";
import { executions } from "../rpc/executions";
import { Problem } from "../ui/form";
import { Icon } from "../ui/icon";
import { when } from "../ui/format";

interface Props {
  step: Step;
  /** Without, it is only told what is asked. */
  mayDecide: boolean;
  onDecided?: (approved: boolean) => void;
}

export function Decide({ step, mayDecide, onDecided }: Props) {
  const [values, setValues] = useState<Values>({});
  const [comment, setComment] = useState("");
  const { approval } = step;
  const schema = approval?.formSchema;
  const asks = schema !== undefined && Object.keys(schema).length > 0;
  const fields = fieldsOf(schema);
  const decide = useMutation({
    mutationFn: async (approved: boolean) => {
      // Who rejects need not fill in what only an approval needs.
      const form =
        !asks || !approved
          ? {}
          : fields
            ? argumentsOf(fields, values)
            : objectOf(values[WHOLE] ?? "", "Form");
      return executions.decideApproval({ name: step.name, approved, form, comment: comment.trim() });
    },
    onSuccess: (_, approved) => onDecided?.(approved),
  });
  if (!approval) return null;
  return (
    <form
      className="form decide"
      aria-label={approval.title}
      onSubmit={(event) => {
        event.preventDefault();
        decide.mutate(true);
      }}
    >
      <div>
        <h2>{approval.title}</h2>
        {approval.description && <p className="decide-text">{approval.description}</p>}
        {step.dueTime && <p className="hint">Nobody is asked any more from {when(step.dueTime)} on.</p>}
      </div>
      {mayDecide && (
        <>
          {asks && <Arguments label="Form" schema={schema} values={values} onChange={setValues} />}
          <label>
            Comment
            <textarea
              rows={2}
              maxLength={4000}
              value={comment}
              onChange={(event) => setComment(event.target.value)}
            />
          </label>
          <Problem error={decide.error} />
          <div className="button-row">
            <button
              type="submit"
              className="button button-primary"
              disabled={decide.isPending || decide.isSuccess}
            >
              <Icon name="check" /> Approve
            </button>
            <button
              type="button"
              className="button"
              disabled={decide.isPending || decide.isSuccess}
              onClick={() => decide.mutate(false)}
            >
              <Icon name="close" /> Reject
            </button>
          </div>
        </>
      )}
    </form>
  );
}
