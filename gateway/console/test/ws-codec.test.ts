import { describe, expect, it } from "vitest";
import { decodeSocketMessage, encodeSocketMessage, Kind } from "../src/rpc/ws-codec";

describe("socket messages", () => {
  it("are a varint, a kind and a payload", () => {
    expect([...encodeSocketMessage(1, Kind.Open, Uint8Array.of(9, 8))]).toEqual([1, 1, 9, 8]);
    expect([...encodeSocketMessage(300, Kind.End)]).toEqual([0xac, 0x02, 3]);
  });

  it("come back as they were, for call numbers of every length", () => {
    for (const call of [1, 127, 128, 16_383, 16_384, 2 ** 21, 2 ** 32 - 1]) {
      const message = decodeSocketMessage(encodeSocketMessage(call, Kind.Message, Uint8Array.of(1, 2, 3)));
      expect(message.call).toBe(call);
      expect(message.kind).toBe(Kind.Message);
      expect([...message.payload]).toEqual([1, 2, 3]);
    }
  });

  it("are refused when they are cut off", () => {
    expect(() => decodeSocketMessage(new Uint8Array())).toThrow("call number");
    expect(() => decodeSocketMessage(Uint8Array.of(0x80))).toThrow("call number");
    expect(() => decodeSocketMessage(Uint8Array.of(5))).toThrow("kind");
  });
});
