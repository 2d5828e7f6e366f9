// Filters that somebody keeps: by name, in this browser.
import { createStore } from "../app/store";

export interface SavedFilter {
  name: string;
  state?: string;
  workflow?: string;
  q?: string;
}

const STORAGE = "weft.executions.filters";

/** What is kept, as far as it can be read. */
export function readFilters(kept: string | null): SavedFilter[] {
  try {
    const read: unknown = JSON.parse(kept ?? "[]");
    if (!Array.isArray(read)) return [];
    const text = (value: unknown) => (typeof value === "string" && value ? value : undefined);
    return read.flatMap((one: Record<string, unknown> | null) => {
      const name = text(one?.name);
      return name ? [{ name, state: text(one?.state), workflow: text(one?.workflow), q: text(one?.q) }] : [];
    });
  } catch {
    return [];
  }
}

function restore(): SavedFilter[] {
  try {
    return readFilters(localStorage.getItem(STORAGE));
  } catch {
    return [];
  }
}

const store = createStore<readonly SavedFilter[]>(restore());

function keep(filters: readonly SavedFilter[]): void {
  store.set(filters);
  try {
    localStorage.setItem(STORAGE, JSON.stringify(filters));
  } catch {
    // Then they last as long as the tab.
  }
}

export const savedFilters = {
  store,
  /** Keeps a filter in place of the one of its name. */
  save(filter: SavedFilter): void {
    const others = store.get().filter((one) => one.name !== filter.name);
    keep([...others, filter].sort((a, b) => a.name.localeCompare(b.name)));
  },
  remove(name: string): void {
    keep(store.get().filter((one) => one.name !== name));
  },
};
