// What can be asked of a host, and how it is asked.
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { accessTo, lookFor, nextSort, orderOf, percent } from "../src/fleet/host-model";
import { AgentSchema, AgentSessionSchema } from "../src/gen/weft/agent/v1/agent_pb";

const agent = (capabilities: string[], connected = true) =>
  create(AgentSchema, { capabilities, session: connected ? create(AgentSessionSchema) : undefined });

describe("a host", () => {
  it("says why it is not asked", () => {
    expect(accessTo(agent(["host", "host:ports"]), "ports")).toBe("open");
    expect(accessTo(agent(["host", "host:ports"]), "processes")).toBe("closed");
    expect(accessTo(agent(["echo"]), "ports")).toBe("old");
    expect(accessTo(agent(["host", "host:ports"], false), "ports")).toBe("offline");
  });

  it("is asked for texts as they are", () => {
    expect(lookFor("  ", ["name"])).toBe("");
    expect(lookFor('a "b"', ["name", "user"])).toBe('name:"a \\"b\\"" OR user:"a \\"b\\""');
  });

  it("is sorted the other way round by a second press", () => {
    const first = nextSort({ key: "name", descending: false }, "cpu_ratio", true);
    expect(orderOf(first)).toBe("cpu_ratio desc");
    expect(orderOf(nextSort(first, "cpu_ratio", true))).toBe("cpu_ratio");
    expect(percent(0.256)).toBe("25.6 %");
  });
});
