import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { forEach, told } from "../src/executions/bulk";
import { allows, covers, termsOf, typedOf } from "../src/executions/limits";
import {
  around,
  filterOf,
  hasEnded,
  mayRetry,
  queuedFor,
  Run,
  runState,
  standing,
  stepNumber,
} from "../src/executions/model";
import { readFilters } from "../src/executions/saved";
import { rowsOf, worst } from "../src/executions/timeline";
import {
  ExecutionSchema,
  ExecutionState,
  StepSchema,
  StepState,
} from "../src/gen/weft/execution/v1/execution_pb";
import { ExecutionChangesSchema } from "../src/gen/weft/execution/v1/execution_service_pb";
import { RunLimitSchema } from "../src/gen/weft/execution/v1/run_limit_pb";

const step = (
  number: number,
  path: string,
  state: StepState,
  more: { ends?: number; asks?: boolean; signal?: string } = {},
) =>
  create(StepSchema, {
    name: `projects/p/executions/x1/steps/${number}`,
    path,
    state,
    createTime: timestampFromMs(number * 10),
    endTime: more.ends === undefined ? undefined : timestampFromMs(more.ends),
    approval: more.asks ? { title: "Well?" } : undefined,
    signal: more.signal,
  });
const execution = (
  state: ExecutionState,
  more: { approvalCount?: number; retryCount?: number; reason?: string } = {},
) =>
  create(ExecutionSchema, {
    name: "projects/p/executions/x1",
    state,
    approvalCount: more.approvalCount,
    retryCount: more.retryCount,
    error: more.reason ? { reason: more.reason } : undefined,
  });
const { RUNNING, WAITING, SUCCEEDED, FAILED, RETRYING } = StepState;

describe("what a watch tells", () => {
  const changes = (steps: ReturnType<typeof step>[], retryCount = 0) =>
    create(ExecutionChangesSchema, { execution: execution(ExecutionState.RUNNING, { retryCount }), steps });

  it("keeps the newest state of each step, in the order in which they began", () => {
    const run = new Run();
    run.hear(changes([step(2, "b", RUNNING), step(1, "a", RUNNING)]));
    run.hear(changes([step(1, "a", SUCCEEDED), step(11, "k", RUNNING)]));
    expect(run.list().map((one) => `${stepNumber(one)} ${one.path} ${one.state}`)).toEqual([
      `1 a ${SUCCEEDED}`,
      `2 b ${RUNNING}`,
      `11 k ${RUNNING}`,
    ]);
  });

  it("forgets after a retry what was not reached again", () => {
    const run = new Run();
    run.hear(changes([step(1, "a", SUCCEEDED), step(2, "b", FAILED), step(3, "old", SUCCEEDED)]));
    run.hear(changes([step(1, "a", SUCCEEDED), step(2, "b", RUNNING)], 1));
    expect(run.list().map((one) => one.path)).toEqual(["a", "b"]);
    expect(run.execution?.retryCount).toBe(1);
  });
});

describe("how a run stands", () => {
  const state = (steps: ReturnType<typeof step>[], of = execution(ExecutionState.RUNNING)) =>
    standing(of, steps);

  it("waits where nothing is at work, and says for what, people first", () => {
    const stands = state([
      step(1, "a", WAITING, { signal: "go" }),
      step(2, "b", RETRYING),
      step(3, "c", WAITING, { asks: true }),
      step(4, "d", WAITING),
    ]);
    expect(stands.state).toBe("waiting");
    expect(stands.waits.map((wait) => `${wait.step.path} ${wait.for}`)).toEqual([
      "c person",
      "a signal",
      "d time",
      "b attempt",
    ]);
  });

  it("runs where something is at work, unless a person is asked", () => {
    expect(state([step(1, "a", WAITING), step(2, "b", RUNNING)]).state).toBe("running");
    expect(state([step(1, "a", WAITING, { asks: true }), step(2, "b", RUNNING)]).state).toBe("waiting");
  });

  it("does not take a step whose body waits for one at work", () => {
    expect(state([step(1, "each", RUNNING), step(2, "each[0]/ask", WAITING)]).state).toBe("waiting");
    expect(state([step(1, "each", RUNNING), step(2, "each[0]/ask", RUNNING)]).state).toBe("running");
  });

  it("waits for nothing once it has ended", () => {
    expect(state([step(1, "a", WAITING)], execution(ExecutionState.FAILED)).waits).toEqual([]);
  });

  it("is told in a list by whether it asks somebody", () => {
    expect(runState(execution(ExecutionState.RUNNING))).toBe("running");
    expect(runState(execution(ExecutionState.RUNNING, { approvalCount: 2 }))).toBe("waiting");
    expect(runState(execution(ExecutionState.TERMINATED))).toBe("terminated");
  });

  it("may be retried once it has failed, or is held by a failure", () => {
    expect(mayRetry(execution(ExecutionState.CANCELLED))).toBe(true);
    expect(mayRetry(execution(ExecutionState.PAUSED))).toBe(false);
    expect(mayRetry(execution(ExecutionState.PAUSED, { reason: "HTTP_STATUS" }))).toBe(true);
    expect(mayRetry(execution(ExecutionState.SUCCEEDED))).toBe(false);
  });

  it("knows the steps that a path is inside", () => {
    expect(around("each[3]/deep/fetch")).toEqual(["each", "each[3]/deep"]);
    expect(around("a")).toEqual([]);
  });
});

describe("the timeline", () => {
  const steps = [
    step(1, "start", SUCCEEDED, { ends: 11 }),
    step(2, "each", RUNNING),
    step(3, "each[0]/one", SUCCEEDED, { ends: 50 }),
    step(4, "each[1]/one", FAILED, { ends: 60 }),
    step(5, "each[0]/two", SUCCEEDED, { ends: 90 }),
    step(6, "end", RUNNING),
  ];

  it("folds what ran inside, and counts items by what they came to", () => {
    const rows = rowsOf(steps, new Set());
    expect(rows.map((row) => row.path)).toEqual(["start", "each", "end"]);
    expect(rows[1]).toMatchObject({ inner: 2, counts: { succeeded: 1, failed: 1 } });
  });

  it("unfolds by path, with items that begin and end with their steps", () => {
    const rows = rowsOf(steps, new Set(["each", "each[0]"]));
    expect(rows.map((row) => `${row.depth} ${row.path}`)).toEqual([
      "0 start",
      "0 each",
      "1 each[0]",
      "2 each[0]/one",
      "2 each[0]/two",
      "1 each[1]",
      "0 end",
    ]);
    expect(rows[2]).toMatchObject({ begins: 30, ends: 90 });
    expect(rows[1].ends).toBeUndefined();
  });

  it("tells the worst of what is inside", () => {
    expect(worst({ succeeded: 5, waiting: 1 })).toBe("waiting");
    expect(worst({ succeeded: 5, failed: 1, waiting: 1 })).toBe("failed");
    expect(worst({})).toBe("succeeded");
  });
});

describe("filters", () => {
  it("are in the words of the contract", () => {
    expect(filterOf({})).toBe("");
    expect(filterOf({ state: "failed", workflow: "orders", q: ' a "b" ' })).toBe(
      'state = failed AND graph = "orders" AND "a \\"b\\""',
    );
    expect(filterOf({ state: "waiting" })).toBe("state = running AND approval_count > 0");
  });

  it("are read back as far as they can be", () => {
    expect(readFilters('[{"name":"mine","state":"failed","q":7},{"state":"x"},null]')).toEqual([
      { name: "mine", state: "failed", workflow: undefined, q: undefined },
    ]);
    for (const broken of [null, "{", "7"]) expect(readFilters(broken)).toEqual([]);
  });
});

describe("the same asked of many", () => {
  it("goes on after a refusal, and tells both", async () => {
    const outcome = await forEach([1, 2, 3, 4], async (one) => {
      if (one % 2 === 0) throw new Error("no");
    });
    expect(outcome.done).toBe(2);
    expect(told(outcome, "cancelled")).toBe("2 runs cancelled; 2 runs refused: no");
  });
});

describe("limits of runs", () => {
  const limit = create(RunLimitSchema, {
    graph: "projects/p/graphs/orders",
    key: "input.customer",
    maxConcurrent: 3,
    rate: { starts: 100, interval: { seconds: 60n }, burst: 10 },
  });

  it("says what it is about and what it allows", () => {
    expect(covers(limit)).toBe("runs of orders, for each input.customer");
    expect(covers({ graph: "", key: "" })).toBe("all runs");
    expect(allows(limit)).toBe("3 at once; 100 starts in 1 min 0 s, 10 of them at once");
  });

  it("keeps what a form shows of it", () => {
    const { maxConcurrent, rate } = termsOf(typedOf(limit));
    expect([maxConcurrent, rate?.starts, rate?.interval.seconds, rate?.burst]).toEqual([3, 100, 60n, 10]);
    expect(termsOf({ atOnce: "", starts: "", seconds: "60", burst: "" })).toEqual({
      maxConcurrent: 0,
      rate: undefined,
    });
  });

  it("says what a run in the queue waits for", () => {
    const queued = create(ExecutionSchema, {
      state: ExecutionState.QUEUED,
      wait: { runLimit: "projects/p/runLimits/per-customer", key: "ada", position: 2 },
    });
    expect([runState(queued), hasEnded(queued)]).toEqual(["queued", false]);
    expect(queuedFor(queued)).toBe("number 2 of per-customer for ada");
  });
});
