// Records of logs without a page: what they say, when, and how they are told apart.
import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type LogRecord, LogRecordSchema } from "../gen/weft/telemetry/v1/log_pb";
import { severityName } from "./severity";
import { valueText } from "./pairs";

/** Of a long body a line has no room for more. */
const LINE = 2_000;

export function bodyOf(record: LogRecord): JsonValue {
  return record.body ? toJson(ValueSchema, record.body) : null;
}

/** What it says, in a line: its body, or the kind of event where that is all. */
export function lineOfBody(record: LogRecord): string {
  const body = bodyOf(record);
  const text = body === null || body === "" ? record.eventName : valueText(body);
  return text.slice(0, LINE).replace(/\s+/g, " ").trim();
}

/** How bad it is, as people read it: the range, not what each source calls it. */
export function severityText(record: LogRecord): string {
  return severityName(record.severity) ?? "–";
}

const two = (value: number, digits = 2) => String(value).padStart(digits, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Day and time to the millisecond, in the reader's zone. */
export function timeText(time: Timestamp | undefined): string {
  if (!time) return "–";
  const at = new Date(timestampMs(time));
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${MONTHS[at.getMonth()]} ${two(at.getDate())} ${clock}.${two(at.getMilliseconds(), 3)}`;
}

/** To the nanosecond, in UTC: for who compares with another system. */
export function exactText(time: Timestamp | undefined): string {
  if (!time) return "";
  const seconds = new Date(Number(time.seconds) * 1_000).toISOString().slice(0, 19);
  return `${seconds}.${two(time.nanos, 9).replace(/0{3,6}$/, "")}Z`;
}

export function jsonText(record: LogRecord): string {
  return JSON.stringify(toJson(LogRecordSchema, record), null, 2);
}

/** A record in a list. */
export interface Entry {
  id: string;
  /** The same for the same content: records have no id of their own. */
  digest: string;
  record: LogRecord;
}

export function digestOf(record: LogRecord): string {
  const text = JSON.stringify(toJson(LogRecordSchema, record));
  // FNV-1a, twice with different beginnings: short, and equal by chance hardly ever.
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}

/** What a search has found, each with an id that stays when more of it is loaded. */
export function entriesOf(records: readonly LogRecord[]): Entry[] {
  const seen = new Map<string, number>();
  return records.map((record) => {
    const digest = digestOf(record);
    const times = seen.get(digest) ?? 0;
    seen.set(digest, times + 1);
    return { id: `${digest}-${times}`, digest, record };
  });
}
