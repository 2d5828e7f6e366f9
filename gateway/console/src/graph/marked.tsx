// Nodes that were marked together: the line that is drawn round them, and what can
// be done with all of them at once, from a bar beside them or by a key.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type RefObject, useEffect, useRef, useState } from "react";
import { isTyping } from "../app/shell";
import { useStoreValue } from "../app/store";
import type { PinNodesRequestSchema } from "../gen/weft/compute/v1/layout_service_pb";
import { describe } from "../rpc/errors";
import { layouts } from "../rpc/layouts";
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { toast } from "../ui/toast";
import { useAdding } from "./adding";
import { column, group, row, type Rule } from "./constraints";
import type { LiveGraph } from "./live";
import { besides } from "./beside";

/** As many as the contract takes at once. */
const MOST = 10_000;
/** How often the bar looks where its nodes are. */
const LOOK_MS = 150;
/** Nodes that are looked at for that. */
const SAMPLE = 300;

type Placements = MessageInitShape<typeof PinNodesRequestSchema>["nodes"];

interface Action {
  key: string;
  label: string;
  hint: string;
  /** What is done between nodes needs two of them. */
  two?: boolean;
  run: () => void;
}

export function Lasso({ live }: { live: LiveGraph }) {
  const line = useStoreValue(live.state, (state) => state.lasso);
  if (line.length < 2) return null;
  return (
    <svg className="lasso" aria-hidden="true">
      <polygon points={line.map(([x, y]) => `${x},${y}`).join(" ")} />
    </svg>
  );
}

export function MarkedBar({ live }: { live: LiveGraph }) {
  const marked = useStoreValue(live.state, (state) => state.marked);
  return marked.size > 0 && live.model ? <Bar live={live} marked={marked} /> : null;
}

function Bar({ live, marked }: { live: LiveGraph; marked: ReadonlySet<number> }) {
  const adding = useAdding(live);
  const bar = useRef<HTMLDivElement>(null);
  useBeside(live, marked, bar);
  const keys = [...marked].map((index) => live.model?.keys[index] ?? "");
  const tooMany = keys.length > MOST;
  const [busy, once] = useOnce();
  const keep = (rule: Rule, what: string) =>
    once(() =>
      adding.mutateAsync({ rule, name: `${what} of ${plural(keys.length, "node")}` }).then(
        () => live.markOnly([]),
        // Whoever adds says so.
        () => {},
      ),
    );
  const pins = (send: (nodes: Placements) => Promise<unknown>, done: string) =>
    once(async () => {
      try {
        await send(keys.map((key) => ({ node: { case: "key", value: key } })));
        toast.done(`${plural(keys.length, "node")} ${done}`);
      } catch (error) {
        toast.error(describe(error));
      }
    });
  const name = live.layoutName;
  const all: Action[] = [
    {
      key: "p",
      label: "Pin",
      hint: "Keep them where they are",
      run: () => pins((nodes) => layouts.pinNodes({ name, nodes }), "pinned"),
    },
    {
      key: "u",
      label: "Let go",
      hint: "Pinned ones move again",
      run: () => pins((nodes) => layouts.unpinNodes({ name, nodes }), "let go"),
    },
    { key: "r", label: "Row", hint: "On one height", two: true, run: () => keep(row(keys), "Row") },
    {
      key: "c",
      label: "Column",
      hint: "One above the other",
      two: true,
      run: () => keep(column(keys), "Column"),
    },
    {
      key: "g",
      label: "Group",
      hint: "In a circle of their own",
      two: true,
      run: () => keep(group(keys), "Group"),
    },
  ];
  const actions = live.canMove ? all.filter(({ two }) => !two || keys.length > 1) : [];
  const usable = tooMany ? [] : actions;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      const action = usable.find(({ key }) => key === event.key.toLowerCase());
      if (!action) return;
      event.preventDefault();
      action.run();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
  return (
    <div className="marked-bar float" role="group" aria-label="Marked nodes" ref={bar}>
      <strong role="status">{plural(keys.length, "node")}</strong>
      {actions.map(({ key, label, hint, run }) => (
        <button
          key={key}
          type="button"
          className="button button-small"
          disabled={tooMany || busy}
          aria-keyshortcuts={key.toUpperCase()}
          title={
            tooMany
              ? `More than ${MOST.toLocaleString("en")} at once are too many`
              : `${hint} (${key.toUpperCase()})`
          }
          onClick={run}
        >
          {label}
        </button>
      ))}
      <button
        type="button"
        className="icon-button"
        aria-label="Mark none"
        title="Mark none (Esc)"
        onClick={() => live.markOnly([])}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

/** Does one thing at a time: what is asked for while it is under way is left undone. */
function useOnce(): [busy: boolean, once: (work: () => Promise<unknown>) => void] {
  // A second key may come before anything is drawn again.
  const under = useRef(false);
  const [busy, setBusy] = useState(false);
  const once = (work: () => Promise<unknown>) => {
    if (under.current) return;
    under.current = true;
    setBusy(true);
    void work().finally(() => {
      under.current = false;
      setBusy(false);
    });
  };
  return [busy, once];
}

/** Keeps the bar beside its nodes, wherever they and the view go. */
function useBeside(
  live: LiveGraph,
  marked: ReadonlySet<number>,
  bar: RefObject<HTMLDivElement | null>,
): void {
  useEffect(() => {
    const every = Math.ceil(marked.size / SAMPLE);
    const sample = [...marked].filter((_, at) => at % every === 0);
    const look = () => {
      const { current } = bar;
      const { scene } = live;
      if (!current || !scene) return;
      const points = sample.flatMap((index) => {
        const at = scene.screenOf(index);
        return at ? [at] : [];
      });
      const [x, y] = besides(points, scene.camera, {
        width: current.offsetWidth,
        height: current.offsetHeight,
      });
      current.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [live, marked, bar]);
}
