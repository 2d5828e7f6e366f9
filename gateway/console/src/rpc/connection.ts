// Whether what is on the screen is true right now. Streams report by name;
// the worst of them is what people see.
import { createStore } from "../app/store";

export type ConnectionState = "live" | "reconnecting" | "offline";

interface Connection {
  state: ConnectionState;
  /** When the state began, for "offline since". */
  since: number;
}

const store = createStore<Connection>({ state: navigator.onLine ? "live" : "offline", since: Date.now() });
const broken = new Set<string>();
let unreachable = false;

function settle(): void {
  const state: ConnectionState = !navigator.onLine
    ? "offline"
    : broken.size > 0 || unreachable
      ? "reconnecting"
      : "live";
  if (state !== store.get().state) store.set({ state, since: Date.now() });
}

addEventListener("online", settle);
addEventListener("offline", settle);

export const connection = {
  store,
  /** A long-lived stream is up, or has been closed on purpose. */
  up(stream: string): void {
    broken.delete(stream);
    unreachable = false;
    settle();
  },
  down(stream: string): void {
    broken.add(stream);
    settle();
  },
  reached(): void {
    unreachable = false;
    settle();
  },
  missed(): void {
    unreachable = true;
    settle();
  },
};
