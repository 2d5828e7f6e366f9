// Turning a credential into a session: an API key, a ticket from the address
// bar, or the token at hand before it expires.
import { Code } from "@connectrpc/connect";
import { codeOf, describe, isTransient } from "../rpc/errors";
import { identity } from "../rpc/clients";
import { renewalDelay, session } from "./session";

export async function signInWithKey(apiKey: string): Promise<void> {
  session.accept(await identity.issueToken({ credential: { case: "apiKey", value: apiKey.trim() } }));
}

/** Takes `#ticket=…` out of the address bar before anything can copy it. */
export function takeTicket(): string | null {
  const found = /(?:^#|&)ticket=([^&]+)/.exec(location.hash);
  if (!found) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return decodeURIComponent(found[1]);
}

export async function redeemTicket(ticket: string): Promise<void> {
  // The same request id makes a retry after a lost answer harmless.
  const requestId = crypto.randomUUID();
  for (let attempt = 0; ; attempt++) {
    try {
      session.accept(await identity.issueToken({ credential: { case: "ticket", value: ticket }, requestId }));
      return;
    } catch (error) {
      if (attempt < 3 && isTransient(error)) {
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
        continue;
      }
      const refused = codeOf(error) !== Code.Unavailable && codeOf(error) !== Code.ResourceExhausted;
      session.end(
        refused
          ? "This sign-in link was already used or has expired. Run `weft login` for a new one, or paste an API key."
          : describe(error),
      );
      return;
    }
  }
}

export async function loadPrincipal(): Promise<void> {
  session.setPrincipal(await identity.whoAmI({}));
}

/** Keeps the session alive until the tab is closed or the mesh says no. */
export function keepRenewing(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const plan = () => {
    clearTimeout(timer);
    const state = session.store.get();
    if (state.token) timer = setTimeout(renew, Math.min(renewalDelay(state), 2 ** 31 - 1));
  };
  const renew = async () => {
    const { token, expiresAt } = session.store.get();
    if (!token) return;
    try {
      session.accept(await identity.issueToken({ credential: { case: "accessToken", value: token } }));
    } catch (error) {
      if (!isTransient(error) || Date.now() > expiresAt) session.expire();
      else timer = setTimeout(renew, 5_000);
    }
  };
  const unsubscribe = session.store.subscribe(plan);
  // Timers sleep with the machine: a lid that opens after hours must not use a dead token.
  const wake = () => document.visibilityState === "visible" && plan();
  document.addEventListener("visibilitychange", wake);
  plan();
  return () => {
    clearTimeout(timer);
    unsubscribe();
    document.removeEventListener("visibilitychange", wake);
  };
}
