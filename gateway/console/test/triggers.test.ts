// Triggers in words, their form and what it becomes, and lines of a shell that a shell understands.
import { execFileSync } from "node:child_process";
import { create } from "@bufbuild/protobuf";
import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import {
  DeliveryCause,
  DeliverySchema,
  DeliveryState,
  HmacAlgorithm,
  HmacEncoding,
  type Trigger,
  TriggerSchema,
  WebhookProvider,
  WebhookSourceSchema,
} from "../src/gen/weft/trigger/v1/trigger_pb";
import { curlFor } from "../src/triggers/curl";
import { draftOf, localText, scheduleOf, triggerOf, wrongAt, wrongsOf } from "../src/triggers/draft";
import {
  bodyOf,
  cronText,
  headerLines,
  headersOf,
  kindText,
  matches,
  mayRepeat,
} from "../src/triggers/model";

test.each([
  ["* * * * *", "every minute"],
  ["*/15 * * * *", "every 15 minutes"],
  ["5 * * * *", "at 05 past every hour"],
  ["30 9 * * MON-FRI", "Monday to Friday at 09:30"],
  ["0 0 * * *", "every day at 00:00"],
  ["0 7 * * sun", "on Sunday at 07:00"],
  ["0 7 1 * *", "on day 1 of the month at 07:00"],
  ["0 7 1 * MON", "at 0 7 1 * MON"],
  ["0 7 1 6 *", "at 0 7 1 6 *"],
  ["0 30 9 * * *", "at 0 30 9 * * *"],
  ["61 9 * * *", "at 61 9 * * *"],
  ["nonsense", "at nonsense"],
])("%s is %s", (cron, words) => {
  expect(cronText(cron)).toBe(words);
});

const trigger = (part: Parameters<typeof create<typeof TriggerSchema>>[1]): Trigger =>
  create(TriggerSchema, { name: "projects/p/triggers/t", graph: "projects/p/graphs/orders", ...part });

test("a row is found by its name, its workflow, its kind and its state", () => {
  const one = trigger({
    paused: true,
    source: { case: "schedule", value: { cron: "30 9 * * *", timeZone: "Europe/Berlin" } },
  });
  expect(kindText(one)).toBe("every day at 09:30, Europe/Berlin");
  for (const wanted of ["t", "orders", "berlin", "paused"]) expect(matches(one, wanted), wanted).toBe(true);
  expect(matches(one, "webhook")).toBe(false);
});

test("events are said in words, and are what they were in a form that nobody touches", () => {
  const graph = "projects/p/graphs/orders";
  const words: [NonNullable<Parameters<typeof trigger>[0]>["source"], string][] = [
    [{ case: "executionEnd", value: {} }, "any run has ended"],
    [{ case: "executionEnd", value: { graph, states: [4, 3] } }, "a run of orders has succeeded or failed"],
    [{ case: "graphChange", value: { graph } }, "orders is changed"],
    [
      {
        case: "graphChange",
        value: { graph, nodeTypes: ["page", "tag"], debounceDuration: { seconds: 30n } },
      },
      "orders is changed: page, tag",
    ],
    [{ case: "alert", value: {} }, "any alert fires or is over"],
    [
      { case: "alert", value: { alertRule: "projects/p/alertRules/full", minSeverity: 2, states: [2] } },
      "an alert of full fires",
    ],
    [{ case: "message", value: { topic: "orders.paid" } }, "a message is published to orders.paid"],
  ];
  for (const [source, text] of words) {
    const one = trigger({ source });
    expect(kindText(one)).toBe(text);
    const made = triggerOf(draftOf(one, ""), "p");
    expect([...made.wrong]).toEqual([]);
    expect(create(TriggerSchema, made.trigger).source).toEqual(one.source);
  }
});

test("a form that nobody touches makes the trigger that it was made from", () => {
  const schedule = trigger({
    displayName: "Morning",
    input: { total: `\${event.body.price}` },
    condition: "event.cause == 'schedule'",
    source: {
      case: "schedule",
      value: {
        interval: { seconds: 90n },
        startTime: { seconds: 1_800_000_001n, nanos: 5_000_000 },
        catchupWindow: { seconds: 0n },
        overlapPolicy: 2,
        jitter: { seconds: 1n, nanos: 500_000_000 },
      },
    },
  });
  const made = triggerOf(draftOf(schedule, ""), "p");
  expect(made.wrong.size).toBe(0);
  const again = create(TriggerSchema, made.trigger);
  expect(again.input).toEqual(schedule.input);
  expect(again.graph).toBe(schedule.graph);
  if (again.source.case !== "schedule" || schedule.source.case !== "schedule") throw new Error("no schedule");
  const { interval, startTime, catchupWindow, overlapPolicy, jitter } = schedule.source.value;
  expect(again.source.value).toMatchObject({
    interval,
    startTime,
    catchupWindow,
    overlapPolicy,
    jitter,
    cron: "",
  });
});

test("what cannot be read is said of its field", () => {
  const draft = draftOf(undefined, "orders");
  const wrong = (part: Partial<typeof draft>) => [...triggerOf({ ...draft, ...part }, "p").wrong.keys()];
  expect(wrong({})).toEqual([]);
  expect(wrong({ input: "[1]" })).toEqual(["input"]);
  expect(wrong({ webhook: { ...draft.webhook, wait: "soon", maxBytes: "many" } })).toEqual([
    "webhook.max_body_bytes",
    "webhook.wait_duration",
  ]);
  expect([...scheduleOf({ ...draft.schedule, times: "at", at: [""] }).wrong.keys()]).toEqual([
    "schedule.ticks",
  ]);
  const wrongs = wrongsOf([
    { field: "trigger.webhook.secrets[0]", description: "is too short" },
    { field: "trigger.input.a.b", description: "is no expression" },
  ]);
  expect(wrongAt(wrongs, "webhook.secrets")).toBe("is too short");
  expect(wrongAt(wrongs, "input")).toBe("a.b: is no expression");
  expect(wrongAt(wrongs, "webhook.provider")).toBeUndefined();
});

test("a time stands on the clock of whoever looks, to the millisecond", () => {
  for (const text of ["2026-11-22T09:30", "2026-11-22T09:30:05", "2026-11-22T09:30:00.250"]) {
    expect(localText(new Date(text))).toMatch(new RegExp(`^${text.replace(".", "\\.")}$`));
  }
});

/** What a shell makes of the lines: the arguments of `curl`. */
function calledWith(lines: string): string[] {
  const script = `curl() { for word in "$@"; do printf '%s\\0' "$word"; done; }\n${lines}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8" }).split("\0").slice(0, -1);
}

const SECRET = "it's $ecret `x`";
const sign = (text: string, secret: string | Buffer = SECRET, digest = "sha256") =>
  createHmac(digest, secret).update(text).digest();
const headerOf = (called: string[], name: string) =>
  called.find((word) => word.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";

test.each([
  WebhookProvider.GITHUB,
  WebhookProvider.STRIPE,
  WebhookProvider.SLACK,
  WebhookProvider.STANDARD_WEBHOOKS,
])("provider %i is called as it signs", (provider) => {
  const raw = Buffer.from("0123456789abcdef0123456789abcdef");
  const secret = provider === WebhookProvider.STANDARD_WEBHOOKS ? `whsec_${raw.toString("base64")}` : SECRET;
  const called = calledWith(curlFor(create(WebhookSourceSchema, { provider }), "http://h/hooks/t", secret));
  const body = called[called.indexOf("--data-raw") + 1];
  expect(JSON.parse(body)).toEqual({ hello: "world" });
  const hex = (text: string) => sign(text).toString("hex");
  if (provider === WebhookProvider.GITHUB) {
    expect(headerOf(called, "X-Hub-Signature-256")).toBe(`sha256=${hex(body)}`);
  } else if (provider === WebhookProvider.STRIPE) {
    const [, time, code] = /^t=(\d+),v1=(.*)$/.exec(headerOf(called, "Stripe-Signature")) ?? [];
    expect(code).toBe(hex(`${time}.${body}`));
  } else if (provider === WebhookProvider.SLACK) {
    const time = headerOf(called, "X-Slack-Request-Timestamp");
    expect(headerOf(called, "X-Slack-Signature")).toBe(`v0=${hex(`v0:${time}:${body}`)}`);
  } else {
    const text = `${headerOf(called, "webhook-id")}.${headerOf(called, "webhook-timestamp")}.${body}`;
    expect(headerOf(called, "webhook-signature")).toBe(`v1,${sign(text, raw).toString("base64")}`);
  }
});

test("an HMAC is sent as the trigger says, and a password as curl does", () => {
  const hmac = {
    header: "X-Code",
    prefix: '$a"b=',
    algorithm: HmacAlgorithm.SHA512,
    encoding: HmacEncoding.BASE64,
    timestampHeader: "X-Time",
    idHeader: "X-Id",
  };
  const webhook = create(WebhookSourceSchema, { provider: WebhookProvider.HMAC, hmac });
  const called = calledWith(curlFor(webhook, "http://h/hooks/t", SECRET));
  const body = called[called.length - 1];
  const signed = sign(`${headerOf(called, "X-Time")}.${body}`, SECRET, "sha512");
  expect(headerOf(called, "X-Code")).toBe(`$a"b=${signed.toString("base64")}`);
  expect(headerOf(called, "X-Id")).not.toBe("");
  const basic = create(WebhookSourceSchema, { provider: WebhookProvider.BASIC, username: "a$b" });
  expect(calledWith(curlFor(basic, "http://h/hooks/t", SECRET))).toContain(`a$b:${SECRET}`);
  const nobody = create(WebhookSourceSchema, { provider: WebhookProvider.NONE });
  expect(curlFor(nobody, "http://h/hooks/t")).not.toContain("SECRET");
});

test("what came is JSON where it is some, and text else", () => {
  const of = (text: string) => bodyOf({ body: new TextEncoder().encode(text) });
  expect(of('{"a": [1]}').json).toEqual({ a: [1] });
  expect(of("a=b")).toEqual({ text: "a=b" });
  expect(of("")).toEqual({ text: "" });
});

test("what was taken and is still there can be redelivered", () => {
  const of = (state: DeliveryState, cause: DeliveryCause, kept: boolean) =>
    mayRepeat(create(DeliverySchema, { state, cause, content: kept ? {} : undefined }));
  for (const state of [DeliveryState.STARTED, DeliveryState.SKIPPED, DeliveryState.FAILED]) {
    expect(of(state, DeliveryCause.WEBHOOK, true)).toBe(true);
    expect(of(state, DeliveryCause.WEBHOOK, false)).toBe(false);
    expect(of(state, DeliveryCause.SCHEDULE, false)).toBe(true);
  }
  expect(of(DeliveryState.REFUSED, DeliveryCause.WEBHOOK, true)).toBe(false);
  expect(of(DeliveryState.PENDING, DeliveryCause.MANUAL, true)).toBe(false);
});

test("headers are lines, and lines are headers", () => {
  const headers = { "content-type": "text/plain", "x-time": "12:30" };
  expect(headersOf(headerLines(headers))).toEqual(headers);
  expect(headersOf(" X-A :  b \n\n")).toEqual({ "x-a": "b" });
  expect(() => headersOf("nothing")).toThrow("“nothing” is no header");
});
