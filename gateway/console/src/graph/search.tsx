// The search box: what the mesh finds, as it is typed; Enter flies to it.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { graphs } from "../rpc/clients";
import { describe } from "../rpc/errors";
import { count } from "../ui/format";
import { Icon } from "../ui/icon";
import type { LiveGraph } from "./live";
import { useStoreValue } from "../app/store";

const WAIT_MS = 90;

export function useDebounced<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}

export function useNodeSearch(live: LiveGraph, text: string, pageSize: number) {
  const query = useDebounced(text.trim(), WAIT_MS);
  const version = useStoreValue(live.state, (state) => state.version);
  const result = useQuery({
    queryKey: ["search", live.name, query, version],
    queryFn: ({ signal }) => graphs.searchNodes({ graph: live.name, query, pageSize }, { signal }),
    enabled: query !== "",
    placeholderData: (before) => (query ? before : undefined),
  });
  return { ...result, query };
}

export function NodeSearch({ live }: { live: LiveGraph }) {
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const listId = useId();
  const { data, isError, error, query, isFetching } = useNodeSearch(live, text, 30);
  const results = query ? (data?.results ?? []) : [];
  const at = Math.min(active, results.length - 1);

  const go = async (index: number) => {
    let node = results[index]?.node;
    // Enter may come before the answer does: then it waits for the answer.
    if (!node && text.trim()) {
      node = (await graphs.searchNodes({ graph: live.name, query: text.trim(), pageSize: 1 })).results[0]
        ?.node;
    }
    if (!node) return;
    setOpen(false);
    live.goToKey(node.key);
  };

  return (
    <search
      className="node-search"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <label className="search-field">
        <Icon name="search" />
        <input
          id="node-search"
          type="search"
          role="combobox"
          aria-expanded={open && results.length > 0}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={open && results[at] ? `${listId}-${at}` : undefined}
          aria-label="Search nodes"
          placeholder="Search nodes"
          autoComplete="off"
          value={text}
          onFocus={() => setOpen(true)}
          onChange={(event) => {
            setText(event.target.value);
            setActive(0);
            setOpen(true);
          }}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") setActive(Math.min(at + 1, results.length - 1));
            else if (event.key === "ArrowUp") setActive(Math.max(at - 1, 0));
            else if (event.key === "Enter") void go(Math.max(at, 0));
            else if (event.key === "Escape") {
              if (open && text) setOpen(false);
              else event.currentTarget.blur();
            } else return;
            event.preventDefault();
          }}
        />
        <kbd>/</kbd>
      </label>
      {open && query !== "" && (
        <div className="search-results popover-panel">
          <div role="listbox" id={listId} aria-label="Nodes found">
            {results.map((result, i) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: keys are handled by the combobox
              <div
                key={result.node?.key}
                id={`${listId}-${i}`}
                role="option"
                tabIndex={-1}
                aria-selected={i === at}
                className="search-result"
                onMouseMove={() => i !== at && setActive(i)}
                onMouseDown={(event) => event.preventDefault()}
                onClick={() => void go(i)}
              >
                <span>
                  <strong>{result.node?.displayName || result.node?.key}</strong>
                  <small>
                    {[result.node?.type, ...(result.node?.labels ?? [])]
                      .filter(Boolean)
                      .slice(0, 3)
                      .join(" · ")}
                  </small>
                </span>
                {result.snippet && <Snippet text={result.snippet} />}
              </div>
            ))}
          </div>
          <p className="search-foot" role="status">
            {isError
              ? describe(error)
              : results.length > 0
                ? `${count(data?.totalSize ?? 0n)} found · Enter flies there`
                : isFetching
                  ? "Searching…"
                  : "No node matches all of these words."}
          </p>
        </div>
      )}
    </search>
  );
}

/** Matched words come between U+0002 and U+0003. */
function Snippet({ text }: { text: string }) {
  return (
    <small className="snippet">
      {text.split("\u0002").map((part, i) => {
        const [match, rest] = i === 0 ? ["", part] : part.split("\u0003");
        return (
          <span key={i}>
            {match && <mark>{match}</mark>}
            {rest}
          </span>
        );
      })}
    </small>
  );
}
