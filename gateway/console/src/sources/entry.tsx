// One refresh that has ended: when, by whom, and how.
import { type Refresh, RefreshState } from "../gen/weft/graph/v1/source_pb";
import { ImportWarnings } from "../graphs/import-warnings";
import { describe, reasonOf, statusError } from "../rpc/errors";
import { ago, count, duration, lastPart, when } from "../ui/format";
import { StateMark } from "./progress";
import { outcomeInWords, tookMs } from "./refreshes";

const ENDED: Partial<Record<RefreshState, string>> = {
  [RefreshState.CANCELLED]: "Somebody ended it. It changed nothing.",
  [RefreshState.INTERRUPTED]:
    "Its process ended before it did. The graph has all of it or nothing; refresh again to be sure.",
};

export function RefreshEntry({ refresh }: { refresh: Refresh }) {
  const { state, createTime, result, error, actor } = refresh;
  const took = tookMs(refresh);
  return (
    <li className="refresh" data-testid="refresh" data-state={RefreshState[state].toLowerCase()}>
      <header>
        <StateMark state={state} />
        <time title={when(createTime)}>{ago(createTime)}</time>
        {took !== undefined && <small>took {duration(took)}</small>}
      </header>
      {result && (
        <>
          <p>
            {sentence(outcomeInWords(result))} <small>revision {count(result.revision)}</small>
          </p>
          <ImportWarnings result={result} />
        </>
      )}
      {error && <RefreshError error={error} />}
      {ENDED[state] && <p>{ENDED[state]}</p>}
      <small className="refresh-actor" title={actor}>
        no. {lastPart(refresh.name)}, by {lastPart(actor)}
      </small>
    </li>
  );
}

function RefreshError({ error: status }: { error: NonNullable<Refresh["error"]> }) {
  const error = statusError(status);
  const reason = reasonOf(error);
  return (
    <div className="refresh-error">
      <p>{describe(error)}</p>
      <p>
        <small>It changed nothing.</small> {reason && <code>{reason}</code>}
      </p>
    </div>
  );
}

function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
