// Dead letters: deliveries of a project of which no run could be started for good, to be redelivered or put away.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { currentProject } from "../app/project";
import { ProjectPicker } from "../app/project-picker";
import { ShellTools } from "../app/shell";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Delivery } from "../gen/weft/trigger/v1/trigger_pb";
import { TriggerService } from "../gen/weft/trigger/v1/trigger_service_pb";
import { describe } from "../rpc/errors";
import { may } from "../rpc/policy";
import { triggers as client } from "../rpc/triggers";
import { ago, count, lastPart, plural, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { useDeadLetters } from "./live";
import { causeText } from "./model";

const route = getRouteApi("/dead-letters");

export function DeadLettersPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const remembered = useStore(currentProject);
  const project = search.project ?? remembered;
  const filter = search.q ?? "";
  const { principal } = useStore(session.store);
  const mayChange = may(principal, TriggerService.method.redeliverDeliveries, project);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => currentProject.set(project), [project]);
  useEffect(() => {
    document.title = "Dead letters · weft";
  }, []);
  const list = useDeadLetters(project, filter);
  const found = list.data?.pages.flatMap((page) => page.deliveries) ?? [];
  // Those that are gone meanwhile are not chosen any more.
  const marked = found.filter(({ name }) => chosen.has(name));
  const choose = (names: readonly string[], on: boolean) =>
    setChosen((before) => {
      const next = new Set(before);
      for (const name of names) {
        if (on) next.add(name);
        else next.delete(name);
      }
      return next;
    });
  return (
    <div className="page">
      <header className="bar">
        <ProjectPicker
          project={project}
          onPick={(next) => navigate({ to: "/dead-letters", search: { project: next } })}
        />
        <nav className="crumbs" aria-label="Where you are">
          <Link to="/triggers" search={{ project }}>
            Triggers
          </Link>
          <span aria-hidden="true">/</span>
          <h1>Dead letters</h1>
        </nav>
        <ShellTools />
      </header>
      <div className="page-body dead-letters">
        <div className="toolbar">
          <div className="search-field">
            <Icon name="search" />
            <input
              type="search"
              aria-label="Filter dead letters"
              placeholder="reason = NOT_ALLOWED AND trigger = orders"
              value={filter}
              onChange={(event) => {
                setChosen(new Set());
                void navigate({
                  to: "/dead-letters",
                  search: { project, q: event.target.value || undefined },
                  replace: true,
                });
              }}
            />
          </div>
          <span className="toolbar-count" role="status">
            {list.data && `${count(found.length)}${list.hasNextPage ? "+" : ""}`}
          </span>
          {mayChange && found.length > 0 && !list.isError && (
            <Bulk
              project={project}
              filter={filter}
              marked={marked}
              onDone={() => {
                setChosen(new Set());
              }}
            />
          )}
        </div>
        {list.isError ? (
          filter ? (
            <p className="field-error" role="alert">
              {describe(list.error)}
            </p>
          ) : (
            <Failure
              title="The dead letters cannot be listed"
              error={list.error}
              onRetry={() => list.refetch()}
            />
          )
        ) : list.isPending ? (
          <Skeleton width="60%" />
        ) : found.length === 0 ? (
          <Empty icon="check" title={filter ? "No dead letter matches" : "There are no dead letters"}>
            <p>What comes to a trigger and of which no run can be started for good is here, for a week.</p>
          </Empty>
        ) : (
          <>
            <div className="routes-scroll">
              <table className="plain-table" aria-label="Dead letters">
                <thead>
                  <tr>
                    {mayChange && (
                      <th scope="col">
                        <input
                          type="checkbox"
                          aria-label="Choose all that are shown"
                          checked={marked.length === found.length}
                          onChange={(event) =>
                            choose(
                              found.map(({ name }) => name),
                              event.target.checked,
                            )
                          }
                        />
                      </th>
                    )}
                    <th scope="col">Came</th>
                    <th scope="col">Trigger</th>
                    <th scope="col">As</th>
                    <th scope="col">Why</th>
                  </tr>
                </thead>
                <tbody>
                  {found.map((delivery) => (
                    <Row
                      key={delivery.name}
                      delivery={delivery}
                      project={project}
                      chosen={chosen.has(delivery.name)}
                      onChoose={mayChange ? (on) => choose([delivery.name], on) : undefined}
                    />
                  ))}
                </tbody>
              </table>
            </div>
            {list.hasNextPage && (
              <button
                type="button"
                className="button"
                disabled={list.isFetchingNextPage}
                onClick={() => list.fetchNextPage()}
              >
                Show more
              </button>
            )}
          </>
        )}
      </div>
    </div>
  );
}

interface RowProps {
  delivery: Delivery;
  project: string;
  chosen: boolean;
  /** Absent where one may only look. */
  onChoose?: (on: boolean) => void;
}

function Row({ delivery, project, chosen, onChoose }: RowProps) {
  const trigger = delivery.name.split("/")[3];
  const came = ago(delivery.createTime);
  return (
    <tr>
      {onChoose && (
        <td>
          <input
            type="checkbox"
            aria-label={`Choose what came to ${trigger} ${came}`}
            checked={chosen}
            onChange={(event) => onChoose(event.target.checked)}
          />
        </td>
      )}
      <td>
        <Link
          to="/triggers/$project/$trigger"
          params={{ project, trigger }}
          search={{ delivery: lastPart(delivery.name) }}
          title={when(delivery.createTime)}
        >
          {came}
          <span className="hidden-text">: look into it</span>
        </Link>
      </td>
      <td>
        <Link to="/triggers/$project/$trigger" params={{ project, trigger }} search={{}}>
          {trigger}
        </Link>
      </td>
      <td>
        {causeText(delivery.cause)}
        {delivery.eventType && <small>{delivery.eventType}</small>}
      </td>
      <td className="delivery-why">
        {delivery.reason && <code>{delivery.reason}</code>}
        {delivery.message && <small>{delivery.message}</small>}
      </td>
    </tr>
  );
}

interface BulkProps {
  project: string;
  filter: string;
  /** Those that are chosen; all that the filter matches where none is. */
  marked: readonly Delivery[];
  onDone: () => void;
}

/** What is done with those that are chosen, or with all. */
function Bulk({ project, filter, marked, onDone }: BulkProps) {
  const queries = useQueryClient();
  const parent = `projects/${project}/triggers/-`;
  const wanted = filter.trim() ? `dead_letter = true AND (${filter})` : "dead_letter = true";
  const which = marked.length > 0 ? `${marked.length} chosen` : "all";
  const ended = (text: string) => {
    toast.done(text);
    onDone();
    void queries.invalidateQueries({ queryKey: ["dead-letters"] });
    void queries.invalidateQueries({ queryKey: ["deliveries"] });
  };
  const redeliver = useMutation({
    mutationFn: async () => {
      for (const { name } of marked) await client.redeliverDelivery({ name, requestId: crypto.randomUUID() });
      if (marked.length > 0) return { done: marked.length, skipped: 0 };
      let [done, skipped, pageToken] = [0, 0, ""];
      const requestId = crypto.randomUUID();
      do {
        const some = await client.redeliverDeliveries({ parent, filter: wanted, pageToken, requestId });
        done += some.redeliveredCount;
        skipped += some.skippedCount;
        pageToken = some.nextPageToken;
      } while (pageToken);
      return { done, skipped };
    },
    onSuccess: ({ done, skipped }) =>
      ended(`${count(done)} redelivered${skipped > 0 ? `, ${plural(skipped, "other")} cannot be` : ""}`),
    onError: (error) => toast.error(describe(error)),
  });
  const dismiss = useMutation({
    mutationFn: async () => {
      for (const { name } of marked) await client.dismissDelivery({ name });
      if (marked.length > 0) return marked.length;
      let done = 0;
      for (let more = true; more; ) {
        const some = await client.dismissDeliveries({ parent, filter: wanted });
        done += some.dismissedCount;
        more = some.moreAvailable;
      }
      return done;
    },
    onSuccess: (done) => ended(`${count(done)} dismissed`),
    onError: (error) => toast.error(describe(error)),
  });
  const busy = redeliver.isPending || dismiss.isPending;
  return (
    <div className="button-row">
      <button type="button" className="button" disabled={busy} onClick={() => dismiss.mutate()}>
        <Icon name="check" /> Dismiss {which}
      </button>
      <button
        type="button"
        className="button button-primary"
        disabled={busy}
        onClick={() => redeliver.mutate()}
      >
        <Icon name="refresh" /> Redeliver {which}
      </button>
    </div>
  );
}
