// Says whether what is on the screen is true right now: a dot that is always
// there, and a banner when it is not.
import { connection, type ConnectionState } from "../rpc/connection";
import { useStore } from "./store";

const WORDS: Record<ConnectionState, string> = {
  live: "Live",
  reconnecting: "Retrying",
  offline: "Offline",
};

export function ConnectionDot() {
  const { state } = useStore(connection.store);
  return (
    <div className={`connection connection-${state}`} data-testid="connection" data-state={state}>
      <span className="connection-dot" aria-hidden="true" />
      <span>{WORDS[state]}</span>
    </div>
  );
}

export function ConnectionBanner() {
  const { state, since } = useStore(connection.store);
  const at = new Date(since).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit" });
  return (
    <div role="status">
      {state !== "live" && (
        <p className="banner">
          {state === "offline"
            ? `You are offline since ${at}. What you see is from then; it goes on by itself once you are back.`
            : `The connection was lost at ${at}. Reconnecting…`}
        </p>
      )}
    </div>
  );
}
