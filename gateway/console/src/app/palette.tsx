// Ctrl K: every page, every graph of the project, and what the page at hand
// offers, found by a few letters.
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { session } from "../auth/session";
import { graphs } from "../rpc/clients";
import { Dialog } from "../ui/dialog";
import { compact, lastPart } from "../ui/format";
import { Icon, type IconName } from "../ui/icon";
import { help } from "./help";
import { currentProject } from "./project";
import { createStore, useStore } from "./store";
import { theme } from "./theme";

export interface Command {
  id: string;
  title: string;
  hint?: string;
  icon: IconName;
  run: () => void;
}

const open = createStore(false);
/** Commands of what is on the screen: each part of it sets its own and takes them away. */
const offered = createStore<readonly (readonly Command[])[]>([]);

export const palette = {
  toggle: () => open.set(!open.get()),
  offer(commands: readonly Command[]): () => void {
    offered.set([commands, ...offered.get()]);
    return () => offered.set(offered.get().filter((one) => one !== commands));
  },
};

export function Palette() {
  return useStore(open) ? <PaletteDialog /> : null;
}

function PaletteDialog() {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const navigate = useNavigate();
  const project = useStore(currentProject);
  const list = useQuery({
    queryKey: ["graphs", project, "palette"],
    queryFn: () =>
      graphs.listGraphs({ parent: `projects/${project}`, pageSize: 200, orderBy: "update_time desc" }),
  });
  const ofPage = useStore(offered);
  const close = () => open.set(false);
  const listId = useId();
  const box = useRef<HTMLDivElement>(null);

  const commands = useMemo<Command[]>(() => {
    const go = (
      to:
        | "/graphs"
        | "/workflows"
        | "/triggers"
        | "/executions"
        | "/approvals"
        | "/fleet"
        | "/commands"
        | "/telemetry"
        | "/logs"
        | "/traces"
        | "/alerts"
        | "/settings"
        | "/settings/api-keys"
        | "/settings/secrets",
      title: string,
      icon: IconName,
    ): Command => ({
      id: to,
      title,
      icon,
      run: () => navigate({ to }),
    });
    const known = (list.data?.graphs ?? []).map(
      (graph): Command => ({
        id: graph.name,
        title: graph.displayName || lastPart(graph.name),
        hint: `${compact(Number(graph.nodeCount))} nodes`,
        icon: "graph",
        run: () =>
          navigate({ to: "/graphs/$project/$graph", params: { project, graph: lastPart(graph.name) } }),
      }),
    );
    return [
      ...ofPage.flat(),
      ...known,
      go("/graphs", "Graphs", "graph"),
      go("/workflows", "Workflows", "flow"),
      go("/triggers", "Triggers", "bolt"),
      go("/executions", "Runs", "runs"),
      go("/approvals", "Approvals", "inbox"),
      go("/fleet", "Fleet", "hosts"),
      go("/commands", "Commands", "terminal"),
      go("/telemetry", "Telemetry", "chart"),
      go("/logs", "Logs", "logs"),
      go("/traces", "Traces", "trace"),
      go("/alerts", "Alerts", "bell"),
      go("/settings", "Settings", "settings"),
      go("/settings/api-keys", "API keys", "key"),
      go("/settings/secrets", "Secrets", "key"),
      { id: "theme", title: "Change between light and dark", icon: "moon", run: theme.toggle },
      { id: "help", title: "Keyboard", hint: "?", icon: "help", run: help.open },
      { id: "out", title: "Sign out", icon: "out", run: () => session.end() },
    ];
  }, [list.data, navigate, ofPage, project]);

  const found = useMemo(() => rank(commands, query), [commands, query]);
  const at = Math.min(active, found.length - 1);
  useEffect(() => {
    box.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" });
  }, [at]);

  const run = (command: Command | undefined) => {
    if (!command) return;
    close();
    command.run();
  };

  return (
    <Dialog title="Go to" onClose={close} className="palette">
      <input
        className="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={found[at] ? `${listId}-${at}` : undefined}
        aria-label="Page, graph or command"
        placeholder="Page, graph or command"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setActive(Math.min(at + 1, found.length - 1));
          else if (event.key === "ArrowUp") setActive(Math.max(at - 1, 0));
          else if (event.key === "Enter") run(found[at]);
          else return;
          event.preventDefault();
        }}
      />
      <div className="palette-list" role="listbox" id={listId} aria-label="Results" ref={box}>
        {found.map((command, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the combobox
          <div
            key={command.id}
            id={`${listId}-${i}`}
            data-at={i}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            className="palette-item"
            onMouseMove={() => i !== at && setActive(i)}
            onClick={() => run(command)}
          >
            <Icon name={command.icon} />
            <span>{command.title}</span>
            {command.hint && <small>{command.hint}</small>}
          </div>
        ))}
      </div>
      {found.length === 0 && <p className="palette-none">Nothing has that name.</p>}
    </Dialog>
  );
}

/** Letters in order; those that begin a word, and those in a row, count more. */
function rank(commands: readonly Command[], query: string): Command[] {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return commands.slice(0, 60);
  const scored: [number, Command][] = [];
  for (const command of commands) {
    const title = command.title.toLowerCase();
    let at = -1;
    let score = 0;
    for (const letter of wanted) {
      const next = title.indexOf(letter, at + 1);
      if (next < 0) {
        score = -1;
        break;
      }
      score += next === at + 1 ? 3 : /[\s/_-]/.test(title[next - 1] ?? " ") ? 2 : 1;
      at = next;
    }
    if (score > 0) scored.push([score - title.length / 200, command]);
  }
  return scored
    .sort((a, b) => b[0] - a[0])
    .slice(0, 60)
    .map(([, command]) => command);
}
