// A collector, which speaks OpAMP: what it is, how its parts are, what it runs
// with and what it is offered.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import { type CollectorConfiguration, CollectorTransport } from "../gen/weft/agent/v1/collector_pb";
import { CollectorService } from "../gen/weft/agent/v1/collector_service_pb";
import { describe } from "../rpc/errors";
import { agents, collectors } from "../rpc/fleet";
import { may } from "../rpc/policy";
import { Problem } from "../ui/form";
import { ago, when } from "../ui/format";
import { Icon } from "../ui/icon";
import { Skeleton } from "../ui/states";
import { toast } from "../ui/toast";
import { ACCEPTS_CONFIGURATION, ACCEPTS_RESTART, configurationWords, partName } from "./collector-model";
import { tell } from "./live";

const TRANSPORTS: Record<CollectorTransport, string> = {
  [CollectorTransport.UNSPECIFIED]: "–",
  [CollectorTransport.WEBSOCKET]: "OpAMP over a WebSocket",
  [CollectorTransport.HTTP]: "OpAMP over HTTP: it comes by to be told",
};

export function CollectorParts({ agent: known, project }: { agent: Agent; project: string }) {
  const { principal } = useStore(session.store);
  // What the page follows leaves out what a collector tells of itself and its parts.
  const { name } = known;
  const found = useQuery({
    queryKey: ["collector", name, String(known.revision)],
    queryFn: ({ signal }) => agents.getAgent({ name }, { signal }),
    placeholderData: (before) => before,
  });
  const agent = found.data?.name === name ? found.data : known;
  const mayRead = may(principal, CollectorService.method.getCollectorConfiguration, project);
  const mayChange = may(principal, CollectorService.method.updateCollectorConfiguration, project);
  return (
    <>
      {found.error && (
        <p className="field-error" role="alert">
          {describe(found.error)}
        </p>
      )}
      <About agent={agent} mayChange={mayChange} />
      {found.data && <Health agent={agent} />}
      {mayRead ? (
        <Configuration agent={agent} mayChange={mayChange} />
      ) : (
        <section className="host-part" aria-label="Configuration">
          <h2>Configuration</h2>
          <p className="hint">
            {configurationWords(agent.collector?.configuration)} Operators see what is in it.
          </p>
        </section>
      )}
    </>
  );
}

function About({ agent, mayChange }: { agent: Agent; mayChange: boolean }) {
  const { collector } = agent;
  const restart = useMutation({
    mutationFn: () => collectors.restartCollector({ name: agent.name, requestId: crypto.randomUUID() }),
    onSuccess: tell,
    onError: (error) => toast.error(describe(error)),
  });
  if (!collector) return null;
  const attributes = [
    ...Object.entries(collector.identifyingAttributes),
    ...Object.entries(collector.attributes),
  ].sort(([one], [other]) => one.localeCompare(other));
  const canRestart = agent.session && agent.capabilities.includes(ACCEPTS_RESTART);
  return (
    <section className="host-part" aria-label="OpenTelemetry collector">
      <header className="host-head">
        <h2>OpenTelemetry collector</h2>
        {mayChange && canRestart && (
          <button
            type="button"
            className="button button-small"
            disabled={restart.isPending || !!collector.restartRequestTime}
            onClick={() => restart.mutate()}
          >
            <Icon name="refresh" /> Restart
          </button>
        )}
      </header>
      <p className="hint">
        {TRANSPORTS[collector.transport]}
        {collector.restartRequestTime
          ? "; it is to restart, and was not told yet"
          : collector.restartTime && `; told to restart ${ago(collector.restartTime)}`}
      </p>
      <dl className="facts">
        <div>
          <dt>Instance</dt>
          <dd>
            <code>{collector.instanceUid}</code>
          </dd>
        </div>
        {attributes.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{value || "–"}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Health({ agent }: { agent: Agent }) {
  const parts = agent.collector?.health ?? [];
  return (
    <section className="host-part" aria-label="Health">
      <h2>Health</h2>
      {parts.length === 0 ? (
        <p className="hint">It does not tell how its parts are.</p>
      ) : (
        <ul className="collector-health">
          {parts.map((part) => (
            <li key={part.path.join("/")} data-healthy={part.healthy}>
              <span aria-hidden="true">{part.healthy ? "●" : "▲"}</span>
              <strong>{partName(part)}</strong>
              <span>{part.healthy ? "well" : "not well"}</span>
              <span className="hint" title={when(part.statusTime)}>
                {[part.status, part.lastError].filter(Boolean).join(": ")}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Configuration({ agent, mayChange }: { agent: Agent; mayChange: boolean }) {
  const name = `${agent.name}/collectorConfiguration`;
  // It changes with what is offered, how that stands, and what the collector runs with.
  const { configuration: status, effectiveTime } = agent.collector ?? {};
  const found = useQuery({
    queryKey: [
      "collector",
      name,
      status?.hash ?? "",
      status?.state ?? 0,
      String(effectiveTime?.seconds ?? ""),
    ],
    queryFn: ({ signal }) => collectors.getCollectorConfiguration({ name }, { signal }),
    placeholderData: (before) => before,
  });
  const takes = agent.capabilities.includes(ACCEPTS_CONFIGURATION);
  return (
    <section className="host-part" aria-label="Configuration">
      <h2>Configuration</h2>
      <p className="hint" role="status">
        {configurationWords(agent.collector?.configuration)}
      </p>
      {found.error ? (
        <p className="field-error" role="alert">
          {describe(found.error)}
        </p>
      ) : found.data ? (
        <>
          {mayChange && takes && <Offer configuration={found.data} />}
          {!takes && <p className="hint">It takes no configuration from here.</p>}
          <h3>What it runs with</h3>
          <Effective configuration={found.data} />
        </>
      ) : (
        <Skeleton width="60%" />
      )}
    </section>
  );
}

function Offer({ configuration: newest }: { configuration: CollectorConfiguration }) {
  const queries = useQueryClient();
  const [text, setText] = useState<string | null>(null);
  // As it was when editing began: what somebody else offers meanwhile is not written over unseen.
  const [begun, setBegun] = useState(newest);
  const configuration = text === null ? newest : begun;
  const [key = "", ...others] = Object.keys(configuration.files);
  const there = configuration.files[key]?.content ?? "";
  const contentType = configuration.files[key]?.contentType || "text/yaml";
  const shown = text ?? there;
  const save = useMutation({
    mutationFn: () =>
      collectors.updateCollectorConfiguration({
        collectorConfiguration: {
          name: configuration.name,
          etag: configuration.etag,
          files: shown.trim() ? { [key]: { content: shown, contentType } } : {},
        },
        updateMask: { paths: ["files"] },
      }),
    onSuccess: () => {
      setText(null);
      return queries.invalidateQueries({ queryKey: ["collector", configuration.name] });
    },
  });
  if (others.length > 0) {
    return (
      <p className="hint">
        It is offered {others.length + 1} files, which <code>weft agents configuration</code> shows.
      </p>
    );
  }
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <label>
        What it is offered
        <textarea
          className="collector-text"
          rows={12}
          spellCheck={false}
          value={shown}
          onChange={(event) => {
            if (text === null) setBegun(newest);
            setText(event.target.value);
          }}
        />
        <small>YAML, as the collector reads it. Nothing: it keeps what it has.</small>
      </label>
      <Problem error={save.error} />
      {text !== null && newest.etag !== begun.etag && (
        <p className="hint" role="status">
          Something else has been offered since you began.{" "}
          <button type="button" className="button button-small" onClick={() => setText(null)}>
            Drop this and show it
          </button>
        </p>
      )}
      <div>
        <button
          type="submit"
          className="button button-primary"
          disabled={save.isPending || text === null || text === there}
        >
          Offer
        </button>
      </div>
    </form>
  );
}

function Effective({ configuration }: { configuration: CollectorConfiguration }) {
  const files = Object.entries(configuration.effectiveFiles).sort(([one], [other]) =>
    one.localeCompare(other),
  );
  if (configuration.effectiveTooLarge) return <p className="hint">It is too large to be kept.</p>;
  if (files.length === 0) return <p className="hint">It has not told.</p>;
  return files.map(([name, file]) => (
    <figure key={name} className="collector-file">
      {name && <figcaption>{name}</figcaption>}
      <pre className="collector-text">{file.content}</pre>
    </figure>
  ));
}
