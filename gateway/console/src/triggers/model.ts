// Triggers, their times and their deliveries in words.
import type { JsonValue } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { durationText } from "../alerts/model";
import { ExecutionState } from "../gen/weft/execution/v1/execution_pb";
import { AlertState } from "../gen/weft/telemetry/v1/alert_pb";
import {
  type AlertSource,
  type Delivery,
  DeliveryCause,
  type DeliveryContent,
  DeliveryState,
  type ExecutionEndSource,
  type GraphChangeSource,
  OverlapPolicy,
  type ScheduleSource,
  type Trigger,
  WebhookProvider,
} from "../gen/weft/trigger/v1/trigger_pb";
import { lastPart, plural } from "../ui/format";

export const PROVIDERS: readonly (readonly [WebhookProvider, string, string])[] = [
  [WebhookProvider.GITHUB, "GitHub", "signs the body, X-Hub-Signature-256"],
  [WebhookProvider.GITLAB, "GitLab", "sends the secret, X-Gitlab-Token"],
  [WebhookProvider.STRIPE, "Stripe", "signs time and body, Stripe-Signature"],
  [WebhookProvider.SLACK, "Slack", "signs time and body, X-Slack-Signature"],
  [WebhookProvider.STANDARD_WEBHOOKS, "Standard Webhooks", "signs id, time and body, webhook-signature"],
  [WebhookProvider.HMAC, "Another one that signs", "an HMAC in a header that you name"],
  [WebhookProvider.BASIC, "A name and a password", "as browsers send them"],
  [WebhookProvider.NONE, "Anybody", "whoever knows the address"],
];

/** Whose webhook it is, where it is one of several in a list. */
const CALLERS: Partial<Record<WebhookProvider, string>> = {
  [WebhookProvider.HMAC]: "a caller who signs",
  [WebhookProvider.BASIC]: "a caller with a password",
  [WebhookProvider.NONE]: "anybody",
};

export function providerText(provider: WebhookProvider): string {
  return CALLERS[provider] ?? PROVIDERS.find(([one]) => one === provider)?.[1] ?? "somebody";
}

export const OVERLAPS: readonly (readonly [OverlapPolicy, string])[] = [
  [OverlapPolicy.SKIP, "starts nothing"],
  [OverlapPolicy.QUEUE, "waits for its turn"],
  [OverlapPolicy.REPLACE, "cancels it, and begins"],
  [OverlapPolicy.ALLOW, "begins beside it"],
];

export function titleOf(trigger: Pick<Trigger, "name" | "displayName">): string {
  return trigger.displayName || lastPart(trigger.name);
}

/** `5` or `05` as two digits; nothing of what is no number of this range. */
function digits(text: string, most: number): string | undefined {
  const value = Number(text);
  return /^\d{1,2}$/.test(text) && value <= most ? text.padStart(2, "0") : undefined;
}

const DAYS: Record<string, string> = {
  "MON-FRI": "Monday to Friday",
  "1-5": "Monday to Friday",
  "SAT,SUN": "Saturday and Sunday",
};
const WEEK = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

function daysOf(text: string): string | undefined {
  if (text === "*" || text === "?") return "every day";
  const upper = text.toUpperCase();
  const known =
    DAYS[upper] ?? WEEK.find((day, at) => upper === String(at) || upper === day.slice(0, 3).toUpperCase());
  return known && (WEEK.includes(known) ? `on ${known}` : known);
}

/** A cron expression in words where they are plain; else as it is. */
export function cronText(cron: string): string {
  const parts = cron.trim().split(/\s+/);
  const [minute, hour, day, month, week] = parts;
  const asItIs = `at ${cron.trim()}`;
  if (parts.length !== 5 || month !== "*") return asItIs;
  const every = /^\*\/(\d{1,2})$/;
  const days = daysOf(week);
  if (day === "*" && days === "every day" && hour === "*") {
    if (minute === "*") return "every minute";
    const step = every.exec(minute)?.[1];
    if (step) return `every ${plural(Number(step), "minute")}`;
    const at = digits(minute, 59);
    return at ? `at ${at} past every hour` : asItIs;
  }
  const [h, m] = [digits(hour, 23), digits(minute, 59)];
  if (!h || !m) return asItIs;
  if (day === "*" && days) return `${days} at ${h}:${m}`;
  return /^\d{1,2}$/.test(day) && days === "every day" ? `on day ${day} of the month at ${h}:${m}` : asItIs;
}

export function scheduleText(schedule: ScheduleSource): string {
  if (schedule.cron) return `${cronText(schedule.cron)}, ${schedule.timeZone || "UTC"}`;
  if (schedule.interval) return `every ${spanText(schedule.interval)}`;
  return `at ${plural(schedule.ticks.length, "time")}`;
}

/** A span in words that `durationText` has none for, too. */
export function spanText(span: Parameters<typeof durationMs>[0]): string {
  const millis = durationMs(span);
  return millis % 1_000 === 0 ? durationText(span) || "0s" : `${millis / 1_000}s`;
}

/** What makes a trigger start something. */
export type SourceKind = "webhook" | "schedule" | "executionEnd" | "graphChange" | "alert" | "message";

export const SOURCES: readonly (readonly [SourceKind, string])[] = [
  ["webhook", "Requests (webhook)"],
  ["schedule", "Times (schedule)"],
  ["executionEnd", "The end of a run"],
  ["graphChange", "A change of a graph"],
  ["alert", "An alert"],
  ["message", "A message of a run"],
];

/** How a run can end. */
export const ENDS: readonly (readonly [ExecutionState, string])[] = [
  [ExecutionState.SUCCEEDED, "succeeded"],
  [ExecutionState.FAILED, "failed"],
  [ExecutionState.CANCELLED, "cancelled"],
  [ExecutionState.TERMINATED, "terminated"],
];

export function endText({ graph, states }: Pick<ExecutionEndSource, "graph" | "states">): string {
  const whose = graph ? `a run of ${lastPart(graph)}` : "any run";
  const how = ENDS.filter(([state]) => states.includes(state)).map(([, text]) => text);
  return how.length > 0 ? `${whose} has ${how.join(" or ")}` : `${whose} has ended`;
}

export function changeText({
  graph,
  nodeTypes,
  edgeTypes,
}: Pick<GraphChangeSource, "graph" | "nodeTypes" | "edgeTypes">): string {
  const types = [...nodeTypes, ...edgeTypes];
  return `${lastPart(graph)} is changed${types.length > 0 ? `: ${types.join(", ")}` : ""}`;
}

export function alertText({ alertRule, states }: Pick<AlertSource, "alertRule" | "states">): string {
  const whose = alertRule ? `an alert of ${lastPart(alertRule)}` : "any alert";
  if (states.length !== 1) return `${whose} fires or is over`;
  return `${whose} ${states[0] === AlertState.FIRING ? "fires" : "is over"}`;
}

/** What makes it start something, in words. */
export function kindText({ source }: Pick<Trigger, "source">): string {
  if (source.case === "webhook") return `webhook of ${providerText(source.value.provider)}`;
  if (source.case === "executionEnd") return endText(source.value);
  if (source.case === "graphChange") return changeText(source.value);
  if (source.case === "alert") return alertText(source.value);
  if (source.case === "message") return `a message is published to ${source.value.topic}`;
  return source.case === "schedule" ? scheduleText(source.value) : "";
}

export type DeliveryStateName = "pending" | "started" | "skipped" | "failed" | "refused";
const STATES: Partial<Record<DeliveryState, DeliveryStateName>> = {
  [DeliveryState.STARTED]: "started",
  [DeliveryState.SKIPPED]: "skipped",
  [DeliveryState.FAILED]: "failed",
  [DeliveryState.REFUSED]: "refused",
};

export function deliveryState(state: DeliveryState): DeliveryStateName {
  return STATES[state] ?? "pending";
}

/** The body of what came: as JSON where it is some, else as text. */
export function bodyOf({ body }: Pick<DeliveryContent, "body">): { json?: JsonValue; text: string } {
  const text = new TextDecoder().decode(body);
  try {
    return { json: JSON.parse(text) as JsonValue, text };
  } catch {
    return { text };
  }
}

/** Whether the mesh would redeliver it: it was taken, and what came is still there. */
export function mayRepeat({ state, cause, content }: Pick<Delivery, "state" | "cause" | "content">): boolean {
  const taken = [DeliveryState.STARTED, DeliveryState.SKIPPED, DeliveryState.FAILED].includes(state);
  const isTick = cause === DeliveryCause.SCHEDULE || cause === DeliveryCause.BACKFILL;
  return taken && (isTick || content !== undefined);
}

const CAUSES: Partial<Record<DeliveryCause, string>> = {
  [DeliveryCause.WEBHOOK]: "request",
  [DeliveryCause.SCHEDULE]: "tick",
  [DeliveryCause.MANUAL]: "by hand",
  [DeliveryCause.BACKFILL]: "made up for",
  [DeliveryCause.EXECUTION_END]: "end of a run",
  [DeliveryCause.GRAPH_CHANGE]: "change",
  [DeliveryCause.ALERT]: "alert",
  [DeliveryCause.MESSAGE]: "message",
};

export function causeText(cause: DeliveryCause): string {
  return CAUSES[cause] ?? "";
}

/** Headers as lines, `name: value`, to be changed by hand. */
export function headerLines(headers: Record<string, string>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .sort()
    .join("\n");
}

/** Lines as headers; the first that is none is named. */
export function headersOf(lines: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines.split("\n").filter((line) => line.trim() !== "")) {
    const at = line.indexOf(":");
    if (at < 1) throw new Error(`“${line.trim()}” is no header: name: value`);
    headers[line.slice(0, at).trim().toLowerCase()] = line.slice(at + 1).trim();
  }
  return headers;
}

/** Whether a text typed into the filter is in what a row shows. */
export function matches(trigger: Trigger, wanted: string): boolean {
  const text = [lastPart(trigger.name), trigger.displayName, lastPart(trigger.graph), kindText(trigger)];
  return [...text, trigger.paused ? "paused" : "active"].join(" ").toLowerCase().includes(wanted);
}

/** What an expression about an event can name. */
export function eventOffers(kind: SourceKind): { text: string; about: string }[] {
  const common = [
    { text: "event", about: "what came" },
    {
      text: "event.cause",
      about: "webhook, schedule, backfill, manual, execution_end, graph_change, alert, message",
    },
    { text: "event.delivery", about: "its name" },
    { text: "event.time", about: "when it came" },
    { text: "event.body", about: "what was sent, or given by hand" },
  ];
  return [...common, ...OFFERS[kind]];
}

const EVENT = [
  { text: "event.type", about: "what has happened" },
  { text: "event.source", about: "to what, by name" },
  { text: "event.data", about: "what is told of it" },
];

const OFFERS: Record<SourceKind, { text: string; about: string }[]> = {
  webhook: [
    { text: "event.type", about: "what its sender says it is about" },
    { text: "event.id", about: "what its sender calls it" },
    { text: "event.headers", about: "by their names in lower case" },
    { text: "event.query", about: "of the address, by name" },
  ],
  schedule: [{ text: "event.schedule_time", about: "the time of the tick" }],
  executionEnd: [
    ...EVENT,
    { text: "event.data.state", about: "succeeded, failed, cancelled, terminated" },
    { text: "event.data.reason", about: "why it failed" },
    { text: "event.data.graph", about: "the workflow that ran" },
  ],
  graphChange: [
    ...EVENT,
    { text: "event.data.last_revision", about: "the newest revision" },
    { text: "event.data.nodes.written", about: "keys, 100 at most" },
    { text: "event.data.nodes.deleted", about: "keys, 100 at most" },
  ],
  alert: [
    ...EVENT,
    { text: "event.data.state", about: "firing, resolved" },
    { text: "event.data.severity", about: "info, warning, critical" },
    { text: "event.data.labels", about: "its labels" },
    { text: "event.data.value", about: "of its series" },
  ],
  message: [
    ...EVENT,
    { text: "event.data.value", about: "what was published" },
    { text: "event.data.graph", about: "the workflow that published it" },
    { text: "event.data.step", about: "the step that did" },
  ],
};
