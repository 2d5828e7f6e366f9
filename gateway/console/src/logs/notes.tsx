// What who follows the logs must know: that something is not there.
import { plural } from "../ui/format";
import { Icon } from "../ui/icon";
import type { TailView } from "./tail";

export function LogNotes({ tail, onAgain }: { tail: TailView; onAgain: () => void }) {
  return (
    <>
      {tail.missed > 0 && (
        <p className="note note-warn" role="status">
          <Icon name="alert" />
          <span>
            {plural(tail.missed, "message")} came faster than they could be shown. A search finds them.
          </span>
        </p>
      )}
      {tail.broken && (
        <p className="note note-warn" role="status">
          <Icon name="alert" />
          <span>
            The line was broken for a while; what came then is not here.{" "}
            <button type="button" className="link" onClick={onAgain}>
              Search again
            </button>
          </span>
        </p>
      )}
    </>
  );
}
