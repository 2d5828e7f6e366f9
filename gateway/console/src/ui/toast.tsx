// Short messages in the corner: what was done, or why it was not.
import { createStore, useStore } from "../app/store";
import { Icon } from "./icon";

interface Toast {
  id: number;
  kind: "done" | "error";
  text: string;
}

const store = createStore<readonly Toast[]>([]);
let last = 0;

function push(kind: Toast["kind"], text: string, forMs: number): void {
  const id = ++last;
  store.set([...store.get().slice(-3), { id, kind, text }]);
  setTimeout(() => dismiss(id), forMs);
}

function dismiss(id: number): void {
  store.set(store.get().filter((one) => one.id !== id));
}

export const toast = {
  done: (text: string) => push("done", text, 4_000),
  error: (text: string) => push("error", text, 9_000),
};

export function Toasts() {
  const toasts = useStore(store);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {toasts.map((one) => (
        <div key={one.id} className={`toast toast-${one.kind}`}>
          <Icon name={one.kind === "done" ? "check" : "alert"} />
          <span>{one.text}</span>
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(one.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
