// Times of a schedule, on its own clock and on that of whoever looks.
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { ago } from "../ui/format";
import { ownZone } from "./draft";

const SHAPE = {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
} as const;

/** A time on the clock of a zone; of one that the browser does not know, on its own. */
export function timeIn(time: Timestamp, zone: string): string {
  const date = timestampDate(time);
  const seconds = date.getSeconds() ? ({ second: "2-digit" } as const) : {};
  try {
    return new Intl.DateTimeFormat("en-GB", { ...SHAPE, ...seconds, timeZone: zone || "UTC" }).format(date);
  } catch {
    return new Intl.DateTimeFormat("en-GB", { ...SHAPE, ...seconds }).format(date);
  }
}

export function TickList({ times, zone }: { times: readonly (Timestamp | undefined)[]; zone: string }) {
  const own = ownZone();
  const there = zone || own;
  if (times.length === 0) return <p className="hint">There are none any more.</p>;
  return (
    <ol className="ticks" data-elsewhere={there !== own}>
      {times.map(
        (time) =>
          time && (
            <li key={`${time.seconds}.${time.nanos}`}>
              <time dateTime={timestampDate(time).toISOString()}>{timeIn(time, there)}</time>
              {there !== own && <small>{timeIn(time, own)} here</small>}
              <small>{ago(time)}</small>
            </li>
          ),
      )}
    </ol>
  );
}
