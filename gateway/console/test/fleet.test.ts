import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { labelsOf, lineOf } from "../src/fleet/labels";
import { countStates, groupings, matching, rows, sort, stateOf } from "../src/fleet/model";
import { gridOf } from "../src/fleet/grid";
import { type Agent, AgentSchema, AgentState } from "../src/gen/weft/agent/v1/agent_pb";

const agent = (id: string, state: AgentState, part: MessageInitShape<typeof AgentSchema> = {}): Agent =>
  create(AgentSchema, { name: `projects/p/agents/${id}`, state, ...part });

const FLEET = [
  agent("db10", AgentState.ONLINE, {
    labels: { site: "north" },
    version: "0.2",
    stateTime: timestampFromMs(3_000),
    host: { hostname: "a", osVersion: "Debian 12" },
  }),
  agent("db9", AgentState.OFFLINE, { labels: { site: "south" }, stateTime: timestampFromMs(1_000) }),
  agent("web1", AgentState.DEGRADED, { displayName: "The web", stateTime: timestampFromMs(2_000) }),
  agent("spare", AgentState.MAINTENANCE, { labels: { site: "north", role: "spare" } }),
];
const ids = (agents: readonly Agent[]) => agents.map((one) => one.name.split("/")[3]);

describe("the fleet", () => {
  it("counts states, and takes one that it does not know for offline", () => {
    expect(countStates(FLEET)).toEqual({ online: 1, offline: 1, degraded: 1, maintenance: 1 });
    expect(stateOf(agent("x", AgentState.UNSPECIFIED))).toBe("offline");
  });

  it("finds every word in what is known, within the states", () => {
    expect(ids(matching(FLEET, "north DEBIAN", new Set()))).toEqual(["db10"]);
    expect(ids(matching(FLEET, "the web", new Set()))).toEqual(["web1"]);
    expect(ids(matching(FLEET, "site=north", new Set(["maintenance"])))).toEqual(["spare"]);
    expect(matching(FLEET, "north nowhere", new Set())).toEqual([]);
  });

  it("sorts as people count, and by what needs to be seen to", () => {
    expect(ids(sort([...FLEET], "name", false))).toEqual(["db9", "db10", "spare", "web1"]);
    expect(ids(sort([...FLEET], "state", false))).toEqual(["web1", "db9", "spare", "db10"]);
    expect(ids(sort([...FLEET], "since", true))[0]).toBe("db10");
  });

  it("groups by labels that are in use", () => {
    expect(groupings(FLEET)).toEqual(["state", "system", "version", "label:role", "label:site"]);
    const list = rows(sort([...FLEET], "name", false), "label:site");
    expect(
      list.map((row) => ("heading" in row ? `${row.heading} ${row.count}` : ids([row.agent])[0])),
    ).toEqual(["north 2", "db10", "spare", "south 1", "db9", "without it 1", "web1"]);
    expect(rows(FLEET, undefined)).toHaveLength(4);
  });

  it("draws all in the room that there is, as large as it can", () => {
    expect(gridOf(10, 1000, 56)).toEqual({ cell: 16, columns: 62 });
    const many = gridOf(5_000, 1100, 56);
    expect(Math.ceil(5_000 / many.columns) * many.cell).toBeLessThanOrEqual(56);
    // However many there are, a cell can be seen.
    expect(gridOf(1_000_000, 1100, 56).cell).toBe(3);
  });
});

describe("labels in a line", () => {
  it("are read and written", () => {
    expect(labelsOf(" site=north, role=db  empty=")).toEqual({
      labels: { site: "north", role: "db", empty: "" },
      problem: null,
    });
    expect(lineOf({ b: "2", a: "1" })).toBe("a=1 b=2");
  });

  it("say what is wrong with them", () => {
    for (const bad of ["site", "=north", "a=1 a=2", `${"k".repeat(64)}=1`]) {
      expect(labelsOf(bad).problem).not.toBeNull();
    }
  });
});
