// The sign-in page stands in for whatever page was asked for: the address stays,
// so that signing in leads to where the person wanted to be.
import { type FormEvent, useState } from "react";
import { useStoreValue } from "../app/store";
import { codeOf, describe } from "../rpc/errors";
import { Code } from "@connectrpc/connect";
import { Icon } from "../ui/icon";
import { Spinner } from "../ui/states";
import { session } from "./session";
import { signInWithKey } from "./sign-in";

export function SignInPage() {
  const notice = useStoreValue(session.store, (state) => state.notice);
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    try {
      await signInWithKey(key);
    } catch (failure) {
      setError(
        codeOf(failure) === Code.Unauthenticated
          ? "This key is not known, or it was revoked."
          : describe(failure),
      );
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <img src="/favicon.svg" alt="" width={44} height={44} />
        <h1>Sign in to weft</h1>
        {notice && (
          <p className="note note-warn" role="alert">
            <Icon name="alert" /> {notice}
          </p>
        )}
        <form onSubmit={submit}>
          <label htmlFor="api-key">API key</label>
          <input
            id="api-key"
            type="password"
            autoComplete="current-password"
            spellCheck={false}
            // biome-ignore lint/a11y/noAutofocus: the page has one thing to do
            autoFocus
            placeholder="weft_…"
            value={key}
            aria-describedby="api-key-help"
            aria-invalid={error !== ""}
            onChange={(event) => setKey(event.target.value)}
          />
          {error && (
            <p className="field-error" role="alert">
              {error}
            </p>
          )}
          <button
            type="submit"
            className="button button-primary button-wide"
            disabled={busy || key.trim() === ""}
          >
            {busy ? <Spinner label="Signing in" /> : "Sign in"}
          </button>
        </form>
        <p id="api-key-help" className="hint">
          <code>weft login</code> opens this page signed in. The key itself is not kept in the browser.
        </p>
      </div>
    </main>
  );
}
