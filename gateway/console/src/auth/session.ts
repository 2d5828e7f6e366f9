// Who is signed in. The token lives in memory, with a copy in sessionStorage so
// that a reload of the tab survives; an API key is never kept.
import { createStore } from "../app/store";
import type { AccessToken, Principal } from "../gen/weft/identity/v1/identity_pb";

const STORAGE = "weft.session";

export interface SessionState {
  token: string | null;
  /** Milliseconds since the epoch. */
  expiresAt: number;
  issuedAt: number;
  principal: Principal | null;
  /** Why the person is at the sign-in page again. */
  notice: string;
}

const SIGNED_OUT: SessionState = { token: null, expiresAt: 0, issuedAt: 0, principal: null, notice: "" };

function restore(): SessionState {
  try {
    const kept = JSON.parse(sessionStorage.getItem(STORAGE) ?? "null");
    if (kept && typeof kept.token === "string" && kept.expiresAt > Date.now()) {
      return { ...SIGNED_OUT, token: kept.token, expiresAt: kept.expiresAt, issuedAt: kept.issuedAt };
    }
  } catch {
    // Storage may be switched off; then a reload asks for the key again.
  }
  return SIGNED_OUT;
}

const store = createStore<SessionState>(restore());

function keep(state: SessionState): void {
  try {
    if (state.token === null) sessionStorage.removeItem(STORAGE);
    else {
      const { token, expiresAt, issuedAt } = state;
      sessionStorage.setItem(STORAGE, JSON.stringify({ token, expiresAt, issuedAt }));
    }
  } catch {
    // As above.
  }
}

export const session = {
  store,
  token: (): string | null => store.get().token,

  accept(answer: AccessToken, now = Date.now()): void {
    // The lifetime and not the expiry time: the browser's clock may be wrong.
    const lifetime = Number(answer.lifetime?.seconds ?? 0n) * 1000;
    const next = {
      ...store.get(),
      token: answer.token,
      issuedAt: now,
      expiresAt: now + lifetime,
      notice: "",
    };
    keep(next);
    store.set(next);
  },

  setPrincipal(principal: Principal): void {
    store.patch({ principal });
  },

  expire(): void {
    if (store.get().token === null) return;
    session.end("Your session has ended. Sign in again to go on where you were.");
  },

  end(notice = ""): void {
    const next = { ...SIGNED_OUT, notice };
    keep(next);
    store.set(next);
  },
};

/** When to renew: after three quarters of the lifetime, but not in a rush. */
export function renewalDelay(state: SessionState, now = Date.now()): number {
  const lifetime = state.expiresAt - state.issuedAt;
  return Math.max(1_000, state.issuedAt + lifetime * 0.75 - now);
}
