// The binary messages of docs/websocket.md (sub-protocol weft.v1.proto):
// the call's number as a varint, one byte kind, the payload.

export const Kind = { Open: 1, Message: 2, End: 3, Cancel: 4, Status: 5 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export interface SocketMessage {
  call: number;
  kind: number;
  payload: Uint8Array;
}

export function encodeSocketMessage(
  call: number,
  kind: Kind,
  payload: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const head: number[] = [];
  let rest = call;
  while (rest > 127) {
    head.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  head.push(rest, kind);
  const out = new Uint8Array(head.length + payload.length);
  out.set(head);
  out.set(payload, head.length);
  return out;
}

export function decodeSocketMessage(bytes: Uint8Array): SocketMessage {
  let call = 0;
  let scale = 1;
  let at = 0;
  for (;;) {
    if (at >= bytes.length || at > 7) throw new Error("socket message without a call number");
    const byte = bytes[at++];
    call += (byte & 127) * scale;
    if (byte < 128) break;
    scale *= 128;
  }
  if (at >= bytes.length) throw new Error("socket message without a kind");
  return { call, kind: bytes[at], payload: bytes.subarray(at + 1) };
}
