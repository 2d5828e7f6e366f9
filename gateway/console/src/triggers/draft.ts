// A trigger while somebody fills in its form: texts, and what becomes of them.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { durationOf, freshSecret } from "../alerts/model";
import { objectOf } from "../commands/schema";
import type { ExecutionState } from "../gen/weft/execution/v1/execution_pb";
import { AlertSeverity, type AlertState } from "../gen/weft/telemetry/v1/alert_pb";
import {
  HmacAlgorithm,
  HmacEncoding,
  OverlapPolicy,
  type ScheduleSource,
  type ScheduleSourceSchema,
  type Trigger,
  type TriggerSchema,
  WebhookProvider,
  type WebhookSource,
  type WebhookSourceSchema,
} from "../gen/weft/trigger/v1/trigger_pb";
import { lastPart } from "../ui/format";
import { type SourceKind, spanText } from "./model";

export interface WebhookDraft {
  provider: WebhookProvider;
  /** Empty in a change: it stays what it is. */
  secret: string;
  /** Good beside it for a while. */
  oldSecret: string;
  username: string;
  header: string;
  algorithm: HmacAlgorithm;
  encoding: HmacEncoding;
  prefix: string;
  timestampHeader: string;
  idHeader: string;
  wait: string;
  /** Requests in a second, and at once: as the mesh is set where they are empty. */
  perSecond: string;
  burst: string;
  tolerance: string;
  maxBytes: string;
}

export type Times = "cron" | "every" | "at";

export interface ScheduleDraft {
  times: Times;
  cron: string;
  zone: string;
  every: string;
  /** As a field for date and time has them. */
  at: readonly string[];
  start: string;
  end: string;
  overlap: OverlapPolicy;
  catchup: string;
  jitter: string;
}

export interface EndDraft {
  /** Its id; empty: any. */
  graph: string;
  states: readonly ExecutionState[];
  own: boolean;
}

export interface ChangeDraft {
  /** Its id. */
  graph: string;
  /** Separated by commas. */
  nodeTypes: string;
  edgeTypes: string;
  debounce: string;
}

export interface AlertDraft {
  /** Its id; empty: any. */
  rule: string;
  severity: AlertSeverity;
  states: readonly AlertState[];
}

export interface MessageDraft {
  topic: string;
}

export interface Draft {
  id: string;
  title: string;
  /** Its id. */
  workflow: string;
  kind: SourceKind;
  input: string;
  condition: string;
  webhook: WebhookDraft;
  schedule: ScheduleDraft;
  executionEnd: EndDraft;
  graphChange: ChangeDraft;
  alert: AlertDraft;
  message: MessageDraft;
}

/** What is wrong with which field, by its path below the trigger as the contract calls it. */
export type Wrongs = ReadonlyMap<string, string>;

export const ownZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const two = (value: number): string => String(value).padStart(2, "0");

/** An instant as a field for date and time has it, on the clock of whoever looks. */
export function localText(date: Date): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const millis = date.getMilliseconds();
  const seconds = date.getSeconds() || millis ? `:${two(date.getSeconds())}` : "";
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}${seconds}${millis ? `.${String(millis).padStart(3, "0")}` : ""}`;
}

type Instant = NonNullable<ScheduleSource["startTime"]>;
const shown = (time: Instant | undefined): string => (time ? localText(timestampDate(time)) : "");
const span = (duration: WebhookSource["tolerance"]): string => (duration ? spanText(duration) : "");

/** What the form begins with. */
export function draftOf(trigger: Trigger | undefined, workflow: string): Draft {
  const { source } = trigger ?? {};
  const webhook = source?.case === "webhook" ? source.value : undefined;
  const schedule = source?.case === "schedule" ? source.value : undefined;
  const end = source?.case === "executionEnd" ? source.value : undefined;
  const change = source?.case === "graphChange" ? source.value : undefined;
  const alert = source?.case === "alert" ? source.value : undefined;
  const message = source?.case === "message" ? source.value : undefined;
  return {
    id: trigger ? lastPart(trigger.name) : "",
    title: trigger?.displayName ?? "",
    workflow: trigger ? lastPart(trigger.graph) : workflow,
    kind: source?.case ?? "webhook",
    input: trigger?.input ? JSON.stringify(trigger.input, null, 2) : "",
    condition: trigger?.condition ?? "",
    webhook: {
      provider: webhook?.provider ?? WebhookProvider.HMAC,
      secret: webhook ? "" : freshSecret(),
      oldSecret: "",
      username: webhook?.username ?? "",
      header: webhook?.hmac?.header ?? "X-Signature",
      algorithm: webhook?.hmac?.algorithm || HmacAlgorithm.SHA256,
      encoding: webhook?.hmac?.encoding || HmacEncoding.HEX,
      prefix: webhook?.hmac?.prefix ?? "",
      timestampHeader: webhook?.hmac?.timestampHeader ?? "",
      idHeader: webhook?.hmac?.idHeader ?? "",
      wait: span(webhook?.waitDuration),
      tolerance: span(webhook?.tolerance),
      maxBytes: webhook?.maxBodyBytes ? String(webhook.maxBodyBytes) : "",
      perSecond: webhook?.maxPerSecond ? String(webhook.maxPerSecond) : "",
      burst: webhook?.maxBurst ? String(webhook.maxBurst) : "",
    },
    schedule: {
      times: schedule?.interval ? "every" : schedule?.ticks.length ? "at" : "cron",
      cron: schedule?.cron ?? "0 9 * * MON-FRI",
      zone: schedule ? schedule.timeZone : ownZone(),
      every: span(schedule?.interval) || "1h",
      at: schedule?.ticks.map((tick) => shown(tick.scheduleTime)) ?? [],
      start: shown(schedule?.startTime),
      end: shown(schedule?.endTime),
      overlap: schedule?.overlapPolicy || OverlapPolicy.SKIP,
      catchup: span(schedule?.catchupWindow),
      jitter: span(schedule?.jitter),
    },
    executionEnd: {
      graph: end?.graph ? lastPart(end.graph) : "",
      states: end?.states ?? [],
      own: end?.includeOwnRuns ?? false,
    },
    graphChange: {
      graph: change ? lastPart(change.graph) : "",
      nodeTypes: change?.nodeTypes.join(", ") ?? "",
      edgeTypes: change?.edgeTypes.join(", ") ?? "",
      debounce: span(change?.debounceDuration),
    },
    alert: {
      rule: alert?.alertRule ? lastPart(alert.alertRule) : "",
      severity: alert?.minSeverity ?? AlertSeverity.UNSPECIFIED,
      states: alert?.states ?? [],
    },
    message: { topic: message?.topic ?? "" },
  };
}

const SPAN = "is a span such as 30s, 5m or 2h";

/** Reads fields, and remembers what could not be read. */
class Reader {
  readonly wrong = new Map<string, string>();

  span(field: string, text: string): ReturnType<typeof durationFromMs> | undefined {
    // Seconds may be none, or have a fraction, which no other span of the console has.
    const seconds = /^(\d+(?:\.\d{1,3})?)s?$/.exec(text.trim());
    if (seconds && (Number(seconds[1]) === 0 || text.includes(".")))
      return durationFromMs(Number(seconds[1]) * 1_000);
    const found = durationOf(text);
    if (found === null) this.wrong.set(field, SPAN);
    return found ?? undefined;
  }

  time(field: string, text: string): ReturnType<typeof timestampFromDate> | undefined {
    if (!text) return undefined;
    const date = new Date(text);
    if (!Number.isNaN(date.getTime())) return timestampFromDate(date);
    this.wrong.set(field, "is no time");
    return undefined;
  }
}

function webhookOf(draft: WebhookDraft, read: Reader): MessageInitShape<typeof WebhookSourceSchema> {
  const { provider, secret, oldSecret } = draft;
  const bytes = Number(draft.maxBytes || 0);
  if (!Number.isInteger(bytes)) read.wrong.set("webhook.max_body_bytes", "is a whole number");
  const whole = (path: string, text: string) => {
    const number = Number(text.trim());
    if (Number.isInteger(number) && number >= 0) return number;
    read.wrong.set(path, "is a whole number");
    return 0;
  };
  const isHmac = provider === WebhookProvider.HMAC;
  return {
    provider,
    secrets: provider === WebhookProvider.NONE || !secret ? [] : [secret, oldSecret].filter(Boolean),
    hmac: isHmac
      ? {
          header: draft.header.trim(),
          algorithm: draft.algorithm,
          encoding: draft.encoding,
          prefix: draft.prefix,
          timestampHeader: draft.timestampHeader.trim(),
          idHeader: draft.idHeader.trim(),
        }
      : undefined,
    username: provider === WebhookProvider.BASIC ? draft.username : "",
    waitDuration: read.span("webhook.wait_duration", draft.wait),
    tolerance: read.span("webhook.tolerance", draft.tolerance),
    maxBodyBytes: Number.isInteger(bytes) ? bytes : 0,
    maxPerSecond: whole("webhook.max_per_second", draft.perSecond),
    maxBurst: whole("webhook.max_burst", draft.burst),
  };
}

export function scheduleOf(
  draft: ScheduleDraft,
  read = new Reader(),
): { schedule: MessageInitShape<typeof ScheduleSourceSchema>; wrong: Wrongs } {
  const { times } = draft;
  if (times === "every" && !draft.every.trim()) read.wrong.set("schedule.interval", SPAN);
  const ticks = times === "at" ? draft.at.filter(Boolean) : [];
  if (times === "at" && ticks.length === 0) read.wrong.set("schedule.ticks", "give at least one time");
  const schedule = {
    cron: times === "cron" ? draft.cron.trim() : "",
    timeZone: times === "cron" ? draft.zone.trim() : "",
    interval: times === "every" ? read.span("schedule.interval", draft.every) : undefined,
    ticks: ticks.map((text) => ({ scheduleTime: read.time("schedule.ticks", text) })),
    startTime: read.time("schedule.start_time", draft.start),
    endTime: read.time("schedule.end_time", draft.end),
    overlapPolicy: draft.overlap,
    catchupWindow: read.span("schedule.catchup_window", draft.catchup),
    jitter: read.span("schedule.jitter", draft.jitter),
  };
  return { schedule, wrong: read.wrong };
}

const listed = (text: string): string[] => [
  ...new Set(
    text
      .split(",")
      .map((part) => part.trim())
      .filter(Boolean),
  ),
];

/** What makes it start something. */
function sourceOf(
  draft: Draft,
  project: string,
  read: Reader,
): MessageInitShape<typeof TriggerSchema>["source"] {
  const graphOf = (id: string) => `projects/${project}/graphs/${id}`;
  if (draft.kind === "webhook") return { case: "webhook", value: webhookOf(draft.webhook, read) };
  if (draft.kind === "schedule")
    return { case: "schedule", value: scheduleOf(draft.schedule, read).schedule };
  if (draft.kind === "executionEnd") {
    const { graph, states, own } = draft.executionEnd;
    const value = { graph: graph && graphOf(graph), states: [...states], includeOwnRuns: own };
    return { case: "executionEnd", value };
  }
  if (draft.kind === "alert") {
    const { rule, severity, states } = draft.alert;
    const alertRule = rule.trim() && `projects/${project}/alertRules/${rule.trim()}`;
    return { case: "alert", value: { alertRule, minSeverity: severity, states: [...states] } };
  }
  if (draft.kind === "message") {
    const topic = draft.message.topic.trim();
    if (!topic) read.wrong.set("message.topic", "say which");
    return { case: "message", value: { topic } };
  }
  const { graph, nodeTypes, edgeTypes, debounce } = draft.graphChange;
  if (!graph.trim()) read.wrong.set("graph_change.graph", "say which");
  return {
    case: "graphChange",
    value: {
      graph: graphOf(graph.trim()),
      nodeTypes: listed(nodeTypes),
      edgeTypes: listed(edgeTypes),
      debounceDuration: read.span("graph_change.debounce_duration", debounce),
    },
  };
}

/** The trigger that a form makes, and what in it cannot be read. */
export function triggerOf(
  draft: Draft,
  project: string,
): { trigger: MessageInitShape<typeof TriggerSchema>; wrong: Wrongs } {
  const read = new Reader();
  const input = () => {
    if (!draft.input.trim()) return undefined;
    try {
      return objectOf(draft.input, "Input");
    } catch (error) {
      read.wrong.set("input", error instanceof Error ? error.message.replace(/^Input: /, "") : String(error));
      return undefined;
    }
  };
  return {
    trigger: {
      displayName: draft.title.trim(),
      graph: `projects/${project}/graphs/${draft.workflow}`,
      input: input(),
      condition: draft.condition.trim(),
      source: sourceOf(draft, project, read),
    },
    wrong: read.wrong,
  };
}

/** What the mesh says of the fields of a trigger, by their paths below it. */
export function wrongsOf(violations: readonly { field: string; description: string }[]): Wrongs {
  return new Map(violations.map(({ field, description }) => [field.replace(/^trigger\./, ""), description]));
}

/** What is wrong with a field, or with something within it. */
export function wrongAt(wrongs: Wrongs, field: string): string | undefined {
  for (const [at, text] of wrongs) {
    if (at === field) return text;
    if (!at.startsWith(`${field}.`) && !at.startsWith(`${field}[`)) continue;
    const within = at.slice(field.length).replace(/^\./, "");
    // Which one of a few says nothing where the form has one field for them.
    return /^\[\d+\]$/.test(within) ? text : `${within}: ${text}`;
  }
  return undefined;
}

export function isWrongAt(wrongs: Wrongs, fields: readonly string[]): boolean {
  return fields.some((field) => wrongAt(wrongs, field) !== undefined);
}
