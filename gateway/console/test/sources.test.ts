import { anyPack, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb";
import { StatusSchema } from "../src/gen/google/rpc/status_pb";
import { GraphFormat } from "../src/gen/weft/graph/v1/graph_pb";
import { ImportResultSchema } from "../src/gen/weft/graph/v1/graph_service_pb";
import {
  RefreshPhase,
  RefreshSchema,
  RefreshState,
  type Source,
  SourceSchema,
} from "../src/gen/weft/graph/v1/source_pb";
import { codeOf, describe as told, reasonOf, statusError } from "../src/rpc/errors";
import {
  graphOf,
  merge,
  newer,
  outcomeInWords,
  outcomeOf,
  progressOf,
  sourceOf,
  sourcesKey,
  tell,
  tookMs,
} from "../src/sources/refreshes";
import { AUTHORS, linkInWords, pathProblem, settingsOf, sourceFrom } from "../src/sources/settings";
import { duration, isId, slug } from "../src/ui/format";

const GRAPH = "projects/p/graphs/g";
const SOURCE = `${GRAPH}/sources/notes`;

function refresh(number: number, state: RefreshState, part: MessageInitShape<typeof RefreshSchema> = {}) {
  return create(RefreshSchema, { name: `${SOURCE}/refreshes/${number}`, state, ...part });
}

const reading = (nodeCount: bigint) =>
  refresh(2, RefreshState.RUNNING, {
    progress: { phase: RefreshPhase.READING, foundFileCount: 4n, foundBytes: 2048n, nodeCount },
  });

describe("what is known of a refresh", () => {
  it("names its source and its graph", () => {
    expect(sourceOf(`${SOURCE}/refreshes/12`)).toBe(SOURCE);
    expect(graphOf(SOURCE)).toBe(GRAPH);
  });

  it("takes the higher number, whichever came first", () => {
    const ninth = refresh(9, RefreshState.SUCCEEDED);
    const tenth = refresh(10, RefreshState.RUNNING);
    expect(newer(ninth, tenth)).toBe(tenth);
    expect(newer(tenth, ninth)).toBe(tenth);
    expect(newer(undefined, ninth)).toBe(ninth);
    expect(newer(ninth, undefined)).toBe(ninth);
  });

  it("never runs again once it has ended, and never goes back", () => {
    const ended = refresh(2, RefreshState.FAILED);
    expect(newer(ended, reading(5n))).toBe(ended);
    expect(newer(reading(5n), ended)).toBe(ended);
    const far = reading(9n);
    expect(newer(far, reading(3n))).toBe(far);
    const writing = refresh(2, RefreshState.RUNNING, { progress: { phase: RefreshPhase.WRITING } });
    expect(newer(far, writing)).toBe(writing);
  });

  it("is put into the list of its graph, and stays there when an older list comes", () => {
    const queries = new QueryClient();
    const other = create(SourceSchema, { name: `${GRAPH}/sources/other`, uid: "2" });
    const source = create(SourceSchema, { name: SOURCE, uid: "1" });
    queries.setQueryData(sourcesKey(GRAPH), [source, other]);
    tell(queries, reading(7n));
    const list = queries.getQueryData<Source[]>(sourcesKey(GRAPH));
    expect(list?.map((one) => one.lastRefresh?.progress?.nodeCount)).toEqual([7n, undefined]);
    const late = [create(SourceSchema, { name: SOURCE, uid: "1", lastRefresh: reading(1n) })];
    expect(merge(list, late)[0].lastRefresh?.progress?.nodeCount).toBe(7n);
    // One that was deleted and made anew counts from 1 again.
    const anew = [create(SourceSchema, { name: SOURCE, uid: "3" })];
    expect(merge(list, anew)[0].lastRefresh).toBeUndefined();
  });
});

describe("how far a refresh is", () => {
  it("cannot be told while files are looked for", () => {
    const progress = { phase: RefreshPhase.SCANNING, foundFileCount: 1n, foundBytes: 10n };
    expect(progressOf(refresh(1, RefreshState.RUNNING, { progress }))).toEqual({
      phase: "Looking for files",
      share: undefined,
      facts: ["1 file", "10 B"],
    });
    expect(progressOf(refresh(1, RefreshState.RUNNING)).facts).toEqual([]);
  });

  it("is the share of the bytes while they are read", () => {
    const progress = {
      phase: RefreshPhase.READING,
      foundFileCount: 4n,
      foundBytes: 2048n,
      readFileCount: 1n,
      readBytes: 512n,
      nodeCount: 3n,
      edgeCount: 1n,
    };
    expect(progressOf(refresh(1, RefreshState.RUNNING, { progress }))).toEqual({
      phase: "Reading",
      share: 0.25,
      facts: ["1 of 4 files", "512 B of 2.0 KB", "3 nodes", "1 edge"],
    });
  });

  it("took from its beginning to its end, or to now", () => {
    const createTime = timestampFromMs(1_000);
    expect(tookMs(refresh(1, RefreshState.SUCCEEDED, { createTime, endTime: timestampFromMs(3_500) }))).toBe(
      2_500,
    );
    expect(tookMs(refresh(1, RefreshState.RUNNING, { createTime }), 9_000)).toBe(8_000);
    expect(tookMs(refresh(1, RefreshState.RUNNING))).toBeUndefined();
  });
});

describe("what a refresh did", () => {
  it("is told in signs and in words", () => {
    const result = create(ImportResultSchema, {
      createdNodeCount: 1200n,
      deletedNodeCount: 1n,
      updatedEdgeCount: 2n,
    });
    expect(outcomeOf(result)).toBe("+1,200 −1 nodes, ~2 edges");
    expect(outcomeInWords(result)).toBe("1,200 nodes new, 1 node deleted, 2 edges changed");
    expect(outcomeOf(create(ImportResultSchema))).toBe("nothing had changed");
  });

  it("says why it failed, as the call would have", () => {
    const info = create(ErrorInfoSchema, { reason: "FOLDER_EMPTY", domain: "graph.weft.dev" });
    const status = create(StatusSchema, {
      code: Code.FailedPrecondition,
      message: "the folder has no file",
      details: [anyPack(ErrorInfoSchema, info)],
    });
    const error = statusError(status);
    expect([codeOf(error), reasonOf(error), told(error)]).toEqual([
      Code.FailedPrecondition,
      "FOLDER_EMPTY",
      "the folder has no file",
    ]);
  });
});

describe("the settings of a source", () => {
  it("survive the form unchanged", () => {
    const source = create(SourceSchema, {
      displayName: "Notes",
      location: {
        case: "folder",
        value: {
          folder: "projects/p/folders/notes",
          path: "team",
          include: ["**/*.{md,txt}"],
          exclude: ["x"],
        },
      },
      format: GraphFormat.MARKDOWN,
      defaultNodeType: "page",
      defaultEdgeType: "link",
      propertyLinks: [AUTHORS],
    });
    expect(sourceFrom(settingsOf(source))).toEqual(source);
  });

  it("leave out empty lines, spaces at the ends and links of no property", () => {
    const made = sourceFrom({
      ...settingsOf(null),
      displayName: " Notes ",
      path: "team/ ",
      include: "\n **/*.md \n\n",
      links: [{ property: " ", nodeType: "x", edgeType: "" }, AUTHORS],
    });
    expect(made.displayName).toBe("Notes");
    expect(made.location.value).toMatchObject({ path: "team", include: ["**/*.md"], exclude: [] });
    expect(made.propertyLinks.map(linkInWords)).toEqual(["author → creator"]);
  });

  it("refuse a path that leads out before the mesh has to", () => {
    expect(pathProblem("")).toBe("");
    expect(pathProblem("a/b..c")).toBe("");
    expect(pathProblem("/etc")).not.toBe("");
    expect(pathProblem("a/../b")).not.toBe("");
  });

  it("suggest an id that the contract takes", () => {
    expect(slug("Ada's Notes, 2nd édition!")).toBe("ada-s-notes-2nd-e-dition");
    expect([slug("a".repeat(80)), slug("--")].map(isId)).toEqual([true, false]);
  });
});

it("a duration is told in the unit that fits", () => {
  expect([0, 12.4, 1_500, 42_000, 61_000, 3_700_000].map(duration)).toEqual([
    "0 ms",
    "12 ms",
    "1.5 s",
    "42 s",
    "1 min 1 s",
    "1 h 1 min",
  ]);
});
