import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { audience, hasEnded, Output, parts, tookMs } from "../src/commands/model";
import { argumentsOf, fieldsOf, objectOf } from "../src/commands/schema";
import { CommandSchema, CommandState, OutputStream } from "../src/gen/weft/command/v1/command_pb";
import { OutputPieceSchema } from "../src/gen/weft/command/v1/command_service_pb";

const SCRIPT = {
  type: "object",
  required: ["script"],
  properties: {
    script: { type: "string", description: "Its name." },
    arguments: { type: "array", items: { type: "string" } },
    input: { type: "string", maxLength: 131_072 },
    secretInput: { type: "string", maxLength: 131_072, writeOnly: true },
    times: { type: "integer", minimum: 1, default: 3 },
    share: { type: "number" },
    force: { type: "boolean" },
    mode: { enum: ["fast", 2] },
    more: { type: "object" },
  },
  additionalProperties: false,
};

describe("the form of a schema", () => {
  const fields = fieldsOf(SCRIPT) ?? [];

  it("has a field for each property", () => {
    expect(fields.map((field) => `${field.key} ${field.kind}`)).toEqual([
      "script text",
      "arguments words",
      "input long",
      "secretInput text",
      "times integer",
      "share number",
      "force switch",
      "mode choice",
      "more json",
    ]);
    expect(fields[0]).toMatchObject({
      required: true,
      secret: false,
      help: "Its name.",
    });
    expect(fields[3].secret).toBe(true);
  });

  it("makes arguments of what was filled in, with their types", () => {
    const values = {
      script: "update",
      arguments: "--all\n\nnow",
      share: "0.5",
      force: "true",
      mode: "2",
      more: '{"a":[1]}',
    };
    expect(argumentsOf(fields, values)).toEqual({
      script: "update",
      arguments: ["--all", "now"],
      times: 3,
      share: 0.5,
      force: true,
      mode: 2,
      more: { a: [1] },
    });
  });

  it("says what cannot be read", () => {
    expect(() => argumentsOf(fields, { more: "{" })).toThrow("more: this is not JSON");
    expect(() => argumentsOf(fields, { share: "much" })).toThrow("share");
    expect(() => objectOf("[1]")).toThrow("object");
    expect(objectOf(" ")).toEqual({});
  });

  it("is JSON where it cannot be simple, and nothing where there are no arguments", () => {
    expect(fieldsOf(undefined)).toBeNull();
    expect(fieldsOf({ type: "object" })).toBeNull();
    expect(fieldsOf({ type: "object", properties: { a: {} }, oneOf: [{}] })).toBeNull();
    expect(fieldsOf({ type: "object", additionalProperties: false })).toEqual([]);
  });
});

describe("a command", () => {
  const command = create(CommandSchema, {
    name: "projects/p/commands/c",
    agents: ["projects/p/agents/a", "projects/p/agents/b"],
    targetCount: 12,
    completedCount: 9,
    failedCount: 1,
    pendingCount: 2,
    state: CommandState.EXECUTING,
    createTime: timestampFromMs(1_000),
    endTime: timestampFromMs(3_500),
  });

  it("tells whom it is for, and how far it is", () => {
    expect(audience(command)).toBe("a, b and 10 more");
    expect(audience(create(CommandSchema, { agentFilter: "state = online" }))).toBe("state = online");
    expect(parts(command).map((part) => `${part.count} ${part.state}`)).toEqual([
      "9 completed",
      "1 failed",
      "2 pending",
    ]);
    expect(hasEnded(command)).toBe(false);
    expect(tookMs(command)).toBe(2_500);
  });
});

describe("output", () => {
  const piece = (delivery: number, stream: OutputStream, data: Uint8Array) =>
    create(OutputPieceSchema, { delivery, stream, data });
  const bytes = (text: string) => new TextEncoder().encode(text);

  it("is put together by stream, letters in two pieces included", () => {
    const output = new Output();
    const snow = bytes("☃");
    output.add(piece(1, OutputStream.STDOUT, snow.slice(0, 1)));
    output.add(piece(1, OutputStream.STDERR, bytes("!")));
    output.add(piece(1, OutputStream.STDOUT, snow.slice(1)));
    output.add(piece(1, OutputStream.STDOUT, bytes(" man")));
    expect(output.runs()).toEqual([
      { stream: "err", text: "!" },
      { stream: "out", text: "☃ man" },
    ]);
  });

  it("begins anew with a delivery, and drops what an older one says late", () => {
    const output = new Output();
    output.add(piece(1, OutputStream.STDOUT, bytes("half")));
    output.add(piece(2, OutputStream.STDOUT, bytes("whole")));
    output.add(piece(1, OutputStream.STDOUT, bytes("late")));
    expect(output.runs()).toEqual([{ stream: "out", text: "whole" }]);
  });

  it("keeps the end of what is too much", () => {
    const output = new Output(40_000);
    for (let i = 0; i < 100; i++) output.add(piece(1, OutputStream.STDOUT, bytes(`${i} `.repeat(1000))));
    const text = output
      .runs()
      .map((run) => run.text)
      .join("");
    expect(text.length).toBeLessThan(60_000);
    expect(text.endsWith("99 ")).toBe(true);
  });
});
