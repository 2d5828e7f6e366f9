// The steps of a run as rows of a tree: what ran inside another step, such as
// `each[3]/fetch` in `each`, is folded under it, item by item.
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Step } from "../gen/weft/execution/v1/execution_pb";
import { type StepStateName, stepState } from "./model";

type Counts = Partial<Record<StepStateName, number>>;

export interface Row {
  /** Path of a step, or of an item of one: `each[3]`. */
  path: string;
  label: string;
  depth: number;
  /** Absent where the row is an item of a map, or a round. */
  step?: Step;
  /** Rows below it, whether they are shown or not. */
  inner: number;
  open: boolean;
  /** What is below it, by state. */
  counts: Counts;
  /** From when to when, in milliseconds; without end while it goes on. */
  begins: number;
  ends?: number;
}

interface Branch {
  path: string;
  label: string;
  step?: Step;
  inside: Branch[];
}

function treeOf(steps: readonly Step[]): Branch[] {
  const roots: Branch[] = [];
  const known = new Map<string, Branch>();
  const at = (path: string): Branch => {
    const found = known.get(path);
    if (found) return found;
    const cut = path.lastIndexOf("/");
    const label = path.slice(cut + 1);
    const made: Branch = { path, label, inside: [] };
    known.set(path, made);
    const item = /^(.*)\[\d+\]$/.exec(label);
    if (item) at(path.slice(0, cut + 1) + item[1]).inside.push(made);
    else if (cut >= 0) at(path.slice(0, cut)).inside.push(made);
    else roots.push(made);
    return made;
  };
  for (const step of steps) at(step.path).step = step;
  return roots;
}

/** The rows that are in sight, where those of `open` are unfolded. */
export function rowsOf(steps: readonly Step[], open: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const add = (branch: Branch, depth: number, shown: boolean): Row => {
    const { path, label, step, inside } = branch;
    const counts: Counts = {};
    const row: Row = {
      path,
      label,
      depth,
      step,
      inner: inside.length,
      open: open.has(path),
      counts,
      begins: step?.createTime ? timestampMs(step.createTime) : Number.POSITIVE_INFINITY,
      ends: step ? step.endTime && timestampMs(step.endTime) : 0,
    };
    if (shown) rows.push(row);
    for (const inner of inside) {
      const below = add(inner, depth + 1, shown && row.open);
      // An item is counted by what it came to, a step by its state.
      const state = inner.step ? stepState(inner.step) : worst(below.counts);
      counts[state] = (counts[state] ?? 0) + 1;
      if (step) continue;
      row.begins = Math.min(row.begins, below.begins);
      row.ends =
        row.ends === undefined || below.ends === undefined ? undefined : Math.max(row.ends, below.ends);
    }
    return row;
  };
  for (const root of treeOf(steps)) add(root, 0, true);
  return rows;
}

const BY_WEIGHT: readonly StepStateName[] = [
  "failed",
  "waiting",
  "retrying",
  "running",
  "cancelled",
  "succeeded",
];

/** The state of an item whose steps stand so. */
export function worst(counts: Counts): StepStateName {
  return BY_WEIGHT.find((state) => counts[state]) ?? "succeeded";
}
