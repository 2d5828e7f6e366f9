// Light or dark: what the person chose, or else what their system says.
import type { Theme } from "../render/look";
import { createStore } from "./store";

export type ThemeChoice = "system" | Theme;
const STORAGE = "weft.theme";
const system = matchMedia("(prefers-color-scheme: light)");

function restore(): ThemeChoice {
  try {
    const kept = localStorage.getItem(STORAGE);
    return kept === "dark" || kept === "light" ? kept : "system";
  } catch {
    return "system";
  }
}

const store = createStore<{ choice: ThemeChoice; system: Theme }>({
  choice: restore(),
  system: system.matches ? "light" : "dark",
});

function effective(): Theme {
  const { choice, system } = store.get();
  return choice === "system" ? system : choice;
}

function show(): void {
  document.documentElement.dataset.theme = effective();
}

store.subscribe(show);
system.addEventListener("change", () => store.patch({ system: system.matches ? "light" : "dark" }));
show();

export const theme = {
  store,
  effective,
  choose(choice: ThemeChoice): void {
    try {
      localStorage.setItem(STORAGE, choice);
    } catch {
      // Then the choice lasts as long as the tab.
    }
    store.patch({ choice });
  },
  toggle(): void {
    theme.choose(effective() === "dark" ? "light" : "dark");
  },
};
