// Columns that roll: the newest rows of what is watched, with gaps where nothing
// came.
import type { Series } from "../gen/weft/telemetry/v1/telemetry_pb";
import { type Column, type Lines, millisAt, nameOf, shortNames } from "./model";

/** Answers that are missing make a gap from here on. */
const LATE = 3;

/** Rows of times, and columns by series, of which the oldest fall out. */
export class Rolling {
  private times: number[] = [];
  private readonly columns = new Map<string, Column>();
  private readonly labels = new Map<string, Record<string, string>>();

  constructor(
    private readonly span: number,
    private readonly every: number,
  ) {}

  /** What was: series with samples at steps. */
  fill(series: readonly Series[]): void {
    const all = series.flatMap((one) => one.samples.map((sample) => millisAt(sample.sampleTime)));
    const times = [...new Set(all)].sort((a, b) => a - b);
    for (const time of times) {
      const values = series.flatMap((one) => {
        const sample = one.samples.find((each) => millisAt(each.sampleTime) === time);
        return sample ? [{ labels: one.labels, value: sample.value }] : [];
      });
      this.add(time, values);
    }
  }

  add(time: number, values: readonly { labels: Record<string, string>; value: number }[]): void {
    const last = this.times[this.times.length - 1];
    if (last !== undefined && time <= last) return;
    if (last !== undefined && time - last > LATE * this.every) this.row(last + this.every, []);
    this.row(time, values);
    const oldest = this.times.findIndex((one) => one >= time - this.span);
    if (oldest > 0) {
      this.times = this.times.slice(oldest);
      for (const [key, column] of this.columns) {
        const rest = column.slice(oldest);
        // A series that is over leaves with its last value.
        if (rest.some((value) => value !== null)) this.columns.set(key, rest);
        else this.columns.delete(key);
      }
    }
  }

  private row(time: number, values: readonly { labels: Record<string, string>; value: number }[]): void {
    const before = this.times.length;
    this.times.push(time);
    for (const column of this.columns.values()) column.push(null);
    for (const { labels, value } of values) {
      const key = nameOf(labels);
      const column = this.columns.get(key) ?? [...new Array(before).fill(null), null];
      column[before] = Number.isFinite(value) ? value : null;
      this.columns.set(key, column);
      this.labels.set(key, labels);
    }
  }

  lines(): Lines {
    const keys = [...this.columns.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const names = shortNames(keys.map((key) => this.labels.get(key) ?? {}));
    return {
      times: this.times.map((time) => time / 1_000),
      lines: keys.map((key, at) => ({ key, label: names[at], values: [...(this.columns.get(key) ?? [])] })),
    };
  }
}
