// Choosing what a new node does: by a few letters, with what each kind is for.
import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { NodeKind } from "../gen/weft/execution/v1/execution_pb";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { Prose } from "../ui/prose";
import type { Document } from "./document";
import type { Where } from "./edits";
import { byUse, iconOf } from "./kind-look";
import { hasBody, type Kinds } from "./ports";

interface Props {
  kinds: Kinds;
  document: Document;
  where: Where;
  onWhere: (where: Where) => void;
  onClose: () => void;
  onAdd: (kind: string) => void;
}

export function AddDialog({ kinds, document, where, onWhere, onClose, onAdd }: Props) {
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const found = useMemo(() => ranked([...kinds.values()], query), [kinds, query]);
  const at = Math.min(active, found.length - 1);
  useEffect(() => {
    box.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const node = "key" in where ? document.nodes.get(where.key) : undefined;
  return (
    <Dialog title="Add a node" onClose={onClose} className="add-dialog">
      <input
        className="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={found[at] ? `${id}-${at}` : undefined}
        aria-label="What it does"
        placeholder="What it does: http, map, approval…"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setActive(Math.min(at + 1, found.length - 1));
          else if (event.key === "ArrowUp") setActive(Math.max(at - 1, 0));
          else if (event.key === "Enter") {
            if (found[at]) onAdd(found[at].kind);
          } else return;
          event.preventDefault();
        }}
      />
      {node && hasBody(node, kinds) && (
        <fieldset className="segments segments-small add-where">
          <legend className="hidden-text">Where</legend>
          {(["after", "inside"] as const).map((one) => (
            <label key={one} className="segment" data-active={where.at === one}>
              <input
                type="radio"
                name={`${id}-where`}
                checked={where.at === one}
                onChange={() => onWhere({ at: one, key: node.key })}
              />
              {one} {node.displayName || node.key}
            </label>
          ))}
        </fieldset>
      )}
      <div className="palette-list" role="listbox" id={id} aria-label="Kinds" ref={box}>
        {found.map((kind, row) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the combobox
          <div
            key={kind.kind}
            id={`${id}-${row}`}
            data-at={row}
            role="option"
            tabIndex={-1}
            aria-selected={row === at}
            className="palette-item add-item"
            onMouseMove={() => row !== at && setActive(row)}
            onClick={() => onAdd(kind.kind)}
          >
            <Icon name={iconOf(kind.kind)} size={18} />
            <span>
              <strong>{kind.title}</strong> <code>{kind.kind}</code>
              <small>
                <Prose text={kind.description} />
              </small>
            </span>
          </div>
        ))}
      </div>
      {found.length === 0 && <p className="palette-none">No kind of node is called so.</p>}
    </Dialog>
  );
}

/** By name before by what is said about them. */
function ranked(kinds: readonly NodeKind[], query: string): NodeKind[] {
  const wanted = query.trim().toLowerCase();
  const score = (kind: NodeKind): number => {
    if (wanted === "") return 1;
    if (kind.kind.startsWith(wanted)) return 4;
    if (kind.title.toLowerCase().includes(wanted)) return 3;
    return kind.description.toLowerCase().includes(wanted) ? 2 : 0;
  };
  return kinds
    .map((kind) => ({ kind, score: score(kind) }))
    .filter((one) => one.score > 0)
    .sort((a, b) => b.score - a.score || byUse(a.kind.kind, b.kind.kind))
    .map(({ kind }) => kind);
}
