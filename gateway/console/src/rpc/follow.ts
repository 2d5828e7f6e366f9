// A stream that goes on for as long as a page is open: after a break from where
// it was, and told to the connection's dot while it is broken.
import { Code } from "@connectrpc/connect";
import { Backoff, pause, within } from "./backoff";
import { connection } from "./connection";
import { codeOf, isCancelled } from "./errors";

const FINAL: readonly Code[] = [
  Code.NotFound,
  Code.PermissionDenied,
  Code.Unauthenticated,
  Code.InvalidArgument,
  Code.FailedPrecondition,
  Code.Unimplemented,
];

/** Asking again would be answered the same. */
export function isFinal(error: unknown): boolean {
  return FINAL.includes(codeOf(error));
}

export interface Following<T> {
  /** By what the connection's dot knows it. */
  name: string;
  /** Begins, or goes on from what was heard last. */
  open: (signal: AbortSignal) => AsyncIterable<T>;
  heard: (message: T) => void;
  /** What it tells of comes to an end, and the stream with it. */
  ends?: boolean;
  /** It cannot go on from where it was: forget it. */
  restart?: () => void;
  /** What else asking again would not change, beside the codes that say so. */
  final?: (error: unknown) => boolean;
  /** It cannot go on at all. */
  failed: (error: unknown) => void;
}

export async function follow<T>(stream: Following<T>, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    const own = within(signal);
    try {
      for await (const message of stream.open(own.signal)) {
        connection.up(stream.name);
        stream.heard(message);
        // Only what could be read says that it works again.
        backoff.reset();
      }
      if (stream.ends) break;
    } catch (error) {
      if (signal.aborted || isCancelled(error)) break;
      if (codeOf(error) === Code.OutOfRange && stream.restart) {
        stream.restart();
        continue;
      }
      if (isFinal(error) || stream.final?.(error)) {
        connection.up(stream.name);
        stream.failed(error);
        return;
      }
      connection.down(stream.name);
    } finally {
      // One whose message could not be read would go on beside the next.
      own.abort();
    }
    await pause(backoff.next(), signal);
  }
  connection.up(stream.name);
}
