// The table of triggers: only what is in sight is drawn, and only of that it is asked what came last.
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import type { Trigger } from "../gen/weft/trigger/v1/trigger_pb";
import { ago, lastPart, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { nextOf, useLastDelivery } from "./live";
import { kindText, titleOf } from "./model";
import { DeliveryMark, TriggerMark } from "./state";

const ROW = 56;
const COLUMNS = ["Trigger", "Started by", "State", "Next", "Last"];

interface Props {
  project: string;
  triggers: readonly Trigger[];
  isPending: boolean;
}

export function TriggerTable({ project, triggers, isPending }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: triggers.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (at) => triggers[at].name,
    overscan: 4,
  });
  return (
    <div
      className="table triggers-table"
      role="table"
      aria-label="Triggers"
      aria-rowcount={triggers.length + 1}
    >
      <div className="table-head" role="row">
        {COLUMNS.map((label) => (
          <div key={label} role="columnheader">
            {label}
          </div>
        ))}
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <div className="table-body" ref={box} role="rowgroup" tabIndex={0} aria-label="Rows">
        {isPending &&
          [60, 45, 70].map((width) => (
            <div key={width} className="table-row" role="row">
              <div role="cell">
                <Skeleton width={`${width}%`} />
              </div>
            </div>
          ))}
        {!isPending && triggers.length === 0 && <p className="table-none">No trigger matches.</p>}
        <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
          {virtual.getVirtualItems().map((item) => (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 2}
              className="table-row table-row-link"
              style={{
                position: "absolute",
                top: 0,
                left: 0,
                right: 0,
                transform: `translateY(${item.start}px)`,
              }}
            >
              <Cells trigger={triggers[item.index]} project={project} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

function Cells({ trigger, project }: { trigger: Trigger; project: string }) {
  const next = nextOf(trigger);
  const isSchedule = trigger.source.case === "schedule";
  const waits = trigger.source.case === "webhook" ? "when called" : "when it happens";
  return (
    <>
      <div role="cell">
        <Link
          to="/triggers/$project/$trigger"
          params={{ project, trigger: lastPart(trigger.name) }}
          search={{}}
          className="row-link"
        >
          {titleOf(trigger)}
        </Link>
        <small>runs {lastPart(trigger.graph)}</small>
      </div>
      <div role="cell" className="trigger-kind" title={kindText(trigger)}>
        <Icon name={isSchedule ? "clock" : "link"} />
        <span>{kindText(trigger)}</span>
      </div>
      <div role="cell">
        <TriggerMark trigger={trigger} />
      </div>
      <div role="cell" title={when(next)}>
        {trigger.paused ? (
          <small>not while paused</small>
        ) : next ? (
          ago(next)
        ) : (
          <small>{isSchedule ? "never again" : waits}</small>
        )}
      </div>
      <div role="cell">
        <Last trigger={trigger.name} />
      </div>
    </>
  );
}

function Last({ trigger }: { trigger: string }) {
  const { data } = useLastDelivery(trigger);
  if (data === undefined) return <Skeleton width="50%" />;
  if (data === null) return <small>nothing yet</small>;
  return (
    <>
      <DeliveryMark state={data.state} />
      <small title={when(data.createTime)}>
        {ago(data.createTime)}
        {data.reason && ` · ${data.reason}`}
      </small>
    </>
  );
}
