// The same thing asked of many executions: a few at a time, and what became of it in a line.
import { describe } from "../rpc/errors";
import { plural } from "../ui/format";

const AT_ONCE = 6;

export interface Outcome {
  done: number;
  /** What was refused, by what the mesh said. */
  refused: ReadonlyMap<string, number>;
}

export async function forEach<T>(items: readonly T[], ask: (item: T) => Promise<unknown>): Promise<Outcome> {
  const left = [...items];
  const refused = new Map<string, number>();
  let done = 0;
  const work = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      try {
        await ask(item);
        done++;
      } catch (error) {
        const why = describe(error);
        refused.set(why, (refused.get(why) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { done, refused };
}

export function told(outcome: Outcome, what: string): string {
  const refused = [...outcome.refused].map(([why, count]) => `${plural(count, "run")} refused: ${why}`);
  return [`${plural(outcome.done, "run")} ${what}`, ...refused].join("; ");
}
