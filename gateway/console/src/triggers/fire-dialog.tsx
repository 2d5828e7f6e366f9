// A trigger is tried: with an event as its source has them, or with what one types.
import type { JsonObject } from "@bufbuild/protobuf";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { objectOf } from "../commands/schema";
import type { TestEvent, Trigger } from "../gen/weft/trigger/v1/trigger_pb";
import { triggers as client } from "../rpc/triggers";
import { Dialog } from "../ui/dialog";
import { DialogFoot, Problem } from "../ui/form";
import { lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { useRequestId } from "./dialogs";
import { headerLines, headersOf, titleOf } from "./model";
import { DeliveryMark } from "./state";

interface Props {
  trigger: Trigger;
  project: string;
  onClose: () => void;
  onCame: () => void;
}

export function FireDialog({ trigger, project, onClose, onCame }: Props) {
  const [draft, setDraft] = useState({
    body: '{ "hello": "world" }',
    eventType: "",
    headers: "",
    touched: false,
  });
  const [chosen, setChosen] = useState(0);
  const { id, renew } = useRequestId();
  const { name, source } = trigger;
  // A tick has nothing with it: its test is a run by hand.
  const asEvent = source.case !== "schedule";
  const isWebhook = source.case === "webhook";
  const samples = useQuery({
    queryKey: ["test-events", name, trigger.etag],
    queryFn: ({ signal }) => client.previewTestEvents({ name }, { signal }),
    enabled: asEvent,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const events = samples.data?.testEvents ?? [];
  const use = (event: TestEvent | undefined, touched: boolean) => {
    if (!event) return;
    setDraft({
      body: JSON.stringify((event.body ?? {}) as JsonObject, null, 2),
      eventType: event.eventType,
      headers: headerLines(event.headers),
      touched,
    });
    renew();
  };
  const first = events[0];
  // What somebody has typed meanwhile is theirs.
  useEffect(() => {
    if (!draft.touched) use(first, false);
  }, [first]);
  const set = (part: Partial<typeof draft>) => {
    setDraft((before) => ({ ...before, ...part, touched: true }));
    renew();
  };
  const fire = useMutation({
    mutationFn: async () =>
      client.fireTrigger({
        name,
        body: objectOf(draft.body, "Body"),
        requestId: id,
        test: true,
        headers: isWebhook ? headersOf(draft.headers) : {},
        eventType: asEvent ? draft.eventType : "",
      }),
    onSuccess: () => {
      renew();
      onCame();
    },
  });
  const came = fire.data;
  return (
    <Dialog title={`Test ${titleOf(trigger)}`} onClose={onClose} sticky>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          fire.mutate();
        }}
      >
        {events.length > 1 && (
          <label>
            Example
            <select
              value={chosen}
              onChange={(event) => {
                setChosen(Number(event.target.value));
                use(events[Number(event.target.value)], true);
              }}
            >
              {events.map((event, at) => (
                <option key={event.displayName} value={at}>
                  {event.displayName}
                </option>
              ))}
            </select>
          </label>
        )}
        <label>
          Body{" "}
          <small>
            {asEvent && !isWebhook ? "source and data of the event" : "what the event has as its body"}; a
            JSON object
          </small>
          <textarea
            rows={10}
            className="code-field"
            spellCheck={false}
            value={draft.body}
            onChange={(event) => set({ body: event.target.value })}
          />
        </label>
        {asEvent && (
          <label>
            Type <small>what it is about; event.type</small>
            <input
              value={draft.eventType}
              maxLength={200}
              onChange={(event) => set({ eventType: event.target.value })}
            />
          </label>
        )}
        {isWebhook && (
          <label>
            Headers <small>a line for each</small>
            <textarea
              rows={3}
              className="code-field"
              spellCheck={false}
              value={draft.headers}
              onChange={(event) => set({ headers: event.target.value })}
            />
          </label>
        )}
        <p className="hint">
          It starts a run now, with your rights, paused or not
          {asEvent ? ", as if it had come by itself. Nothing is signed." : "."}
        </p>
        {came && (
          <div className="note fired" role="status">
            <DeliveryMark state={came.state} />
            {came.reason && <code>{came.reason}</code>}
            {came.message && <span>{came.message}</span>}
            {came.execution && (
              <Link
                to="/executions/$project/$execution"
                params={{ project, execution: lastPart(came.execution) }}
                search={{}}
                className="button button-small"
              >
                <Icon name="runs" /> Open the run
              </Link>
            )}
          </div>
        )}
        <Problem error={fire.error} />
        <DialogFoot label={came ? "Once more" : "Start"} disabled={fire.isPending} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
