// What can be asked of a run in a dialog: to go on from a failure or a step, to take a signal, to end at once.
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { useMutation } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { parse } from "../commands/schema";
import type { Step } from "../gen/weft/execution/v1/execution_pb";
import { executions } from "../rpc/executions";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { stepNumber } from "./model";

interface Props {
  name: string;
  onClose: () => void;
  onDone: () => void;
}

export function RetryDialog({ name, step, onClose, onDone }: Props & { step?: Step }) {
  const [newest, setNewest] = useState(false);
  const requestId = useRef(crypto.randomUUID());
  const retry = useMutation({
    mutationFn: () =>
      executions.retryExecution({
        name,
        fromStep: step ? stepNumber(step) : 0,
        newestGraph: newest,
        requestId: requestId.current,
      }),
    onSuccess: onDone,
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  return (
    <Dialog title={step ? `Retry from ${step.path}` : "Retry"} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          retry.mutate();
        }}
      >
        <p>
          {step
            ? "This step, and what comes after it, is run again. What finished before it is kept."
            : "What failed is run again, and the run goes on from there. What had finished is kept."}
        </p>
        <label className="check">
          <input type="checkbox" checked={newest} onChange={(event) => setNewest(event.target.checked)} />
          <span>
            With the workflow as it is now <small>and not as it was when the run began</small>
          </span>
        </label>
        <Problem error={retry.error} />
        <DialogFoot label="Retry" disabled={retry.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function SignalDialog({ name, signal, onClose, onDone }: Props & { signal: string }) {
  const [word, setWord] = useState(signal);
  const [payload, setPayload] = useState("");
  const requestId = useRef(crypto.randomUUID());
  const send = useMutation({
    mutationFn: async () =>
      executions.signalExecution({
        name,
        signal: word.trim(),
        payload: payload.trim() === "" ? undefined : fromJson(ValueSchema, parse(payload, "What it brings")),
        requestId: requestId.current,
      }),
    onSuccess: onDone,
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  return (
    <Dialog title="Send a signal" onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          send.mutate();
        }}
      >
        <label>
          Signal
          <input required maxLength={128} value={word} onChange={(event) => setWord(event.target.value)} />
          <small>One that nobody waits for yet is kept for who will.</small>
        </label>
        <label>
          What it brings
          <textarea
            rows={4}
            className="code-field"
            spellCheck={false}
            placeholder="null"
            value={payload}
            onChange={(event) => setPayload(event.target.value)}
          />
          <small>As JSON.</small>
        </label>
        <Problem error={send.error} />
        <DialogFoot label="Send" disabled={word.trim() === "" || send.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}

export function TerminateDialog({ name, onClose, onDone }: Props) {
  const terminate = useMutation({
    mutationFn: () => executions.terminateExecution({ name }),
    onSuccess: onDone,
  });
  return (
    <Dialog title="Terminate the run" onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          terminate.mutate();
        }}
      >
        <p>
          It ends at once, and what it has begun elsewhere is left alone: a command goes on, a request is not
          called back. To stop those too, cancel it.
        </p>
        <Problem error={terminate.error} />
        <DialogFoot label="Terminate" danger disabled={terminate.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
