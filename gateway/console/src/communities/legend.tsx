// What the legend says of communities that are watched: how many, how good, of
// which revision; and how fine they are to be. While it is there they are followed.
import { useEffect, useId, useState } from "react";
import { useStoreValue } from "../app/store";
import type { LiveGraph } from "../graph/live";
import { count, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { type CommunitiesTold, watchCommunities } from "./watch";

/** As the contract has it. */
const HIGHEST = 1_000_000;
/** After this a hand has come to rest. */
const TYPED_MS = 400;
/** A shorter lag behind the graph is not worth a word. */
const BEHIND_MS = 1_000;

export default function CommunitiesLegend({ live }: { live: LiveGraph }) {
  const id = useId();
  const [resolution, setResolution] = useState(() => live.state.get().style.communities?.resolution ?? 1);
  const [typed, setTyped] = useState(String(resolution));
  const [attempt, setAttempt] = useState(0);
  const [told, setTold] = useState<CommunitiesTold | null>(null);
  const [failure, setFailure] = useState("");
  const wanted = typed.trim() === "" ? Number.NaN : Number(typed);
  const bad = !(wanted >= 0 && wanted <= HIGHEST);

  useEffect(() => {
    if (bad) return;
    const timer = setTimeout(() => setResolution(wanted), TYPED_MS);
    return () => clearTimeout(timer);
  }, [wanted, bad]);

  useEffect(() => {
    const stop = new AbortController();
    setTold(null);
    setFailure("");
    const known = live.state.get().style.communities;
    const same = known?.resolution === resolution;
    // At another resolution neither colours nor what is hidden are of these communities.
    if (known && !same) live.restyle({ communities: null, hidden: new Set() });
    void watchCommunities(
      live.name,
      resolution,
      same ? known.slots : new Map(),
      {
        told: (summary, communities) => {
          setTold(summary);
          live.restyle({ communities });
        },
        still: (revision) => setTold((before) => before && { ...before, revision }),
        failed: setFailure,
      },
      stop.signal,
    );
    return () => stop.abort();
  }, [live, resolution, attempt]);

  return (
    <div className="communities" data-testid="communities">
      <div className="communities-resolution">
        <label htmlFor={id}>Resolution</label>
        <input
          id={id}
          type="number"
          min={0}
          max={HIGHEST}
          step={0.1}
          value={typed}
          aria-invalid={bad}
          title="Above 1: more and smaller communities. Below 1: fewer and larger ones."
          onChange={(event) => setTyped(event.target.value)}
        />
      </div>
      {bad && <p className="field-bad">A number from 0 to {count(HIGHEST)}</p>}
      {/* It is there before it has something to say, or nobody would be told. */}
      <p>
        <span role="status">
          {failure
            ? ""
            : told
              ? plural(told.communityCount, "community", "communities")
              : "Looking for communities…"}
        </span>
        {told && !failure && (
          <>
            {` · modularity ${told.modularity.toFixed(3)}`}
            <Behind live={live} revision={told.revision} />
          </>
        )}
      </p>
      {failure && (
        <div role="alert">
          <p>
            <Icon name="alert" size={13} /> {failure}
          </p>
          <button type="button" className="button button-small" onClick={() => setAttempt(attempt + 1)}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}

/** Says of which revision they are, where the graph has gone on since. */
function Behind({ live, revision }: { live: LiveGraph; revision: bigint }) {
  useStoreValue(live.state, (state) => state.version);
  const now = live.model?.revision ?? revision;
  const behind = now > revision;
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!behind) return;
    const timer = setTimeout(() => setLate(true), BEHIND_MS);
    return () => clearTimeout(timer);
  }, [behind]);
  if (!late) return null;
  return (
    <small>
      {" "}
      of revision {count(revision)}; the graph is at {count(now)}
    </small>
  );
}
