// A silence, by form.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { alerts as client } from "../rpc/telemetry";
import { millisOf } from "../telemetry/model";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { matchersOf } from "./model";

const SPANS = ["30m", "2h", "8h", "1d", "7d"];

export function SilenceDialog({
  project,
  matchers,
  onClose,
}: {
  project: string;
  matchers: string;
  onClose: () => void;
}) {
  const queries = useQueryClient();
  const [text, setText] = useState(matchers);
  const [span, setSpan] = useState("2h");
  const [comment, setComment] = useState("");
  const found = matchersOf(text);
  const millis = millisOf(span);
  const save = useMutation({
    mutationFn: () =>
      client.createSilence({
        parent: `projects/${project}`,
        silence: { matchers: found ?? [], comment, endTime: timestampFromMs(Date.now() + (millis ?? 0)) },
        requestId: crypto.randomUUID(),
      }),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["silences", project] });
      onClose();
    },
  });
  const valid = found && millis;
  return (
    <Dialog title="Silence" onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) save.mutate();
        }}
      >
        <label>
          Which alerts <small>{'host="node7" site=~"north.*": all must match'}</small>
          <textarea
            rows={2}
            className="query-text"
            spellCheck={false}
            value={text}
            aria-invalid={!found}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <label>
          For how long
          <select value={span} onChange={(event) => setSpan(event.target.value)}>
            {SPANS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <label>
          Why
          <input value={comment} maxLength={500} onChange={(event) => setComment(event.target.value)} />
        </label>
        <Problem error={save.error} />
        <DialogFoot label="Silence" disabled={!valid || save.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
