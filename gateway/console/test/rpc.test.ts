import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { LayoutService } from "../src/gen/weft/compute/v1/layout_service_pb";
import { GraphService } from "../src/gen/weft/graph/v1/graph_service_pb";
import { PrincipalSchema, Role } from "../src/gen/weft/identity/v1/identity_pb";
import { Backoff } from "../src/rpc/backoff";
import { Channel } from "../src/rpc/channel";
import { may } from "../src/rpc/policy";

describe("a channel", () => {
  it("gives everything in order, then ends", async () => {
    const channel = new Channel<number>();
    channel.push(1);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of channel) seen.push(item);
    })();
    await Promise.resolve();
    channel.push(2);
    channel.push(3);
    channel.end();
    channel.push(4);
    await reading;
    expect(seen).toEqual([1, 2, 3]);
  });

  it("ends with the error it was given, after what came before", async () => {
    const channel = new Channel<number>();
    channel.push(1);
    channel.end(new Error("broken"));
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const item of channel) seen.push(item);
      })(),
    ).rejects.toThrow("broken");
    expect(seen).toEqual([1]);
  });
});

describe("backoff", () => {
  it("doubles up to its cap and starts anew after a success", () => {
    const backoff = new Backoff(100, 1_000, () => 1);
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([
      100, 200, 400, 800, 1_000,
    ]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });
});

describe("the policy of the contracts", () => {
  const viewer = create(PrincipalSchema, { grants: [{ project: "projects/a", role: Role.VIEWER }] });
  const admin = create(PrincipalSchema, { grants: [{ project: "projects/mesh", role: Role.ADMIN }] });

  it("lets a viewer look and not touch, in their own project only", () => {
    expect(may(viewer, GraphService.method.listGraphs, "a")).toBe(true);
    expect(may(viewer, LayoutService.method.attachLayout, "a")).toBe(false);
    expect(may(viewer, GraphService.method.listGraphs, "b")).toBe(false);
    expect(may(null, GraphService.method.listGraphs, "a")).toBe(false);
  });

  it("lets a role in the mesh hold everywhere, within the scopes of the credential", () => {
    expect(may(admin, LayoutService.method.attachLayout, "anything")).toBe(true);
    const narrowed = create(PrincipalSchema, { ...admin, scopes: ["graph.read"] });
    expect(may(narrowed, GraphService.method.listGraphs, "a")).toBe(true);
    expect(may(narrowed, GraphService.method.deleteGraph, "a")).toBe(false);
  });
});
