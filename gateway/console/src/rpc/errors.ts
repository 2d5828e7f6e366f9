// What a person reads when a call fails, and what the console decides by.
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb";
import type { Status } from "../gen/google/rpc/status_pb";

/** A google.rpc.Status, from a message of the mesh, as the error that a call would have thrown. */
export function statusError(status: Status): ConnectError {
  const error = new ConnectError(status.message, status.code as Code);
  error.details = status.details.map((detail) => ({
    type: detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1),
    value: detail.value,
  }));
  return error;
}

/** The stable reason code of an error, for example REVISION_COMPACTED. */
export function reasonOf(error: unknown): string {
  return ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason ?? "";
}

export function codeOf(error: unknown): Code {
  return ConnectError.from(error).code;
}

export function isCancelled(error: unknown): boolean {
  return codeOf(error) === Code.Canceled || (error instanceof DOMException && error.name === "AbortError");
}

/** The mesh did not answer at all: what a browser says about that is of no use to people. */
export function isNetwork(error: unknown): boolean {
  const known = ConnectError.from(error);
  return (
    error instanceof TypeError ||
    known.cause instanceof TypeError ||
    /failed to fetch|network/i.test(known.rawMessage)
  );
}

/** Whether the same call may succeed a little later. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  return (
    code === Code.Unavailable ||
    code === Code.ResourceExhausted ||
    code === Code.DeadlineExceeded ||
    code === Code.Aborted ||
    isNetwork(error)
  );
}

export function retryDelayMs(error: unknown): number | null {
  const delay = ConnectError.from(error).findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : null;
}

/** The fields that the mesh says are wrong, by their paths in the request. */
export function violations(error: unknown): { field: string; description: string }[] {
  return ConnectError.from(error)
    .findDetails(BadRequestSchema)
    .flatMap((bad) => bad.fieldViolations);
}

export function describe(error: unknown): string {
  const known = ConnectError.from(error);
  const fields = violations(error);
  if (fields.length > 0) return fields.map((field) => `${field.field}: ${field.description}`).join("; ");
  if (isNetwork(error)) return "The mesh cannot be reached right now.";
  if (known.rawMessage) return known.rawMessage;
  switch (known.code) {
    case Code.Unavailable:
      return "The mesh cannot be reached right now.";
    case Code.PermissionDenied:
      return "Your role does not allow this.";
    case Code.ResourceExhausted:
      return "Too many requests; wait a moment.";
    default:
      return Code[known.code];
  }
}
