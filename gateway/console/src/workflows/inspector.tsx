// What is chosen: a node with its settings and its edges, or an edge; and without
// either what there is to know and to do.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { currentProject } from "../app/project";
import { useStore } from "../app/store";
import type { WorkflowFault } from "../gen/weft/execution/v1/execution_pb";
import { listSecrets } from "../settings/secrets";
import { lastPart, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { Prose } from "../ui/prose";
import { type Document, edgeId, parentOf, portOf, type WorkflowNode, withInside } from "./document";
import { type SettingField, settingFields } from "./fields";
import { iconOf } from "./kind-look";
import { hasBody, type Kinds, outputsOf } from "./ports";
import { mayNameSecrets, offersFor } from "./scope";
import type { Selection } from "./selection";
import { rootOf, Settings } from "./settings";

interface Props {
  document: Document;
  kinds: Kinds;
  faults: readonly WorkflowFault[];
  selection: Selection;
  mayEdit: boolean;
  onSetting: (key: string, name: string, value: JsonValue | undefined) => void;
  onName: (key: string, name: string) => void;
  onRename: (from: string, to: string) => void;
  onParent: (key: string, parent: string) => void;
  onConnect: (key: string) => void;
  onRemove: (keys: readonly string[]) => void;
  onRemoveEdge: (edge: string) => void;
  onSelectNode: (key: string) => void;
}

/** What every node that acts outside may have. */
const ACTING: readonly SettingField[] = settingFields({
  type: "object",
  properties: {
    timeout: { description: 'how long one attempt may take: seconds, or a text such as "30s"' },
    retry: {
      type: "object",
      description: "`attempts`, `first`, `factor`, `longest`, `jitter` and `not_after`",
    },
    limit: {
      type: "object",
      description:
        "`at_once` steps act, or a `rate` such as `100/1m` of them begin, for each value of the expression `key`; with a `name` shared in the project",
    },
    cache: {
      type: "object",
      description:
        "a result is kept for the `ttl`, for steps that ask the same, or with the same `key`; with a `name` shared in the project",
    },
  },
});

export function Inspector(props: Props) {
  const { document, selection } = props;
  const [first, ...others] = [...selection.nodes].flatMap((key) => document.nodes.get(key) ?? []);
  const edge = selection.edge === undefined ? undefined : document.edges.get(selection.edge);
  if (first && others.length > 0) return <Several count={others.length + 1} {...props} />;
  if (first) return <NodePanel key={first.key} node={first} {...props} />;
  if (edge)
    return (
      <section className="wf-panel" aria-label="Connection">
        <h2>Connection</h2>
        <p>
          <button type="button" className="link" onClick={() => props.onSelectNode(edge.source)}>
            {edge.source}
          </button>{" "}
          by <code>{portOf(edge)}</code> to{" "}
          <button type="button" className="link" onClick={() => props.onSelectNode(edge.target)}>
            {edge.target}
          </button>
        </p>
        {props.mayEdit && (
          <button type="button" className="button" onClick={() => props.onRemoveEdge(edgeId(edge))}>
            <Icon name="trash" /> Remove
          </button>
        )}
      </section>
    );
  return <Overview {...props} />;
}

function Several({ count, selection, mayEdit, onRemove }: Props & { count: number }) {
  return (
    <section className="wf-panel" aria-label="Several nodes">
      <h2>{plural(count, "node")}</h2>
      <p className="hint">They move together.</p>
      {mayEdit && (
        <button type="button" className="button" onClick={() => onRemove([...selection.nodes])}>
          <Icon name="trash" /> Delete them
        </button>
      )}
    </section>
  );
}

const KEYS: readonly [string, string][] = [
  ["A", "add a node after the chosen one"],
  ["C", "connect it"],
  ["Arrows", "go to the next node; with Shift move it"],
  ["Enter", "its settings"],
  ["Delete", "remove it"],
  ["Ctrl Z", "a step back; with Shift forward"],
  ["L  F", "put all in order, fit into view"],
  ["Ctrl Space", "in a field: what can be named"],
];

function Overview({ document, mayEdit }: Props) {
  return (
    <section className="wf-panel" aria-label="Workflow">
      <h2>Workflow</h2>
      <p className="hint">
        {plural(document.nodes.size, "node")}, {plural(document.edges.size, "connection")}. Choose a node to
        see what it does.
      </p>
      {mayEdit && (
        <dl className="wf-keys">
          {KEYS.map(([key, what]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function NodePanel(props: Props & { node: WorkflowNode }) {
  const { node, document, kinds, mayEdit } = props;
  const kind = kinds.get(node.type);
  const faults = props.faults.filter((fault) => fault.node === node.key);
  const fields = useMemo(() => settingFields(kind?.settingsSchema as JsonObject | undefined), [kind]);
  const acting = kind?.actsOutside ? ACTING : [];
  const project = useStore(currentProject);
  const secrets = useQuery({
    queryKey: ["secrets", project],
    queryFn: () => listSecrets(project),
    enabled: mayNameSecrets(node.type),
  });
  const offers = useMemo(() => {
    const names = (secrets.data ?? []).map((secret) => lastPart(secret.name));
    return offersFor(document, node.key, kinds, names);
  }, [document, node.key, kinds, secrets.data]);
  const known = new Set([...fields, ...acting].map((field) => field.name));
  // What stands at no field of its own.
  const loose = faults.filter((fault) => !known.has(rootOf(fault.property)));
  const edges = [...document.edges.values()];
  const change = (name: string, value: JsonValue | undefined) => props.onSetting(node.key, name, value);
  const inside = withInside(document, [node.key]);
  const bodies = [...document.nodes.values()].filter((one) => hasBody(one, kinds) && !inside.has(one.key));
  return (
    <section className="wf-panel" aria-label={`Settings of ${node.key}`}>
      <header>
        <span className="wf-icon">
          <Icon name={iconOf(node.type)} size={18} />
        </span>
        <div>
          <h2>{kind?.title ?? node.type}</h2>
          <p className="hint">
            <Prose text={kind?.description ?? "There is no such kind."} />
          </p>
        </div>
      </header>
      {loose.map((fault) => (
        <p key={`${fault.reason} ${fault.port} ${fault.property}`} className="note note-warn">
          <Icon name="alert" />
          <span>
            {fault.message} {fault.port && <code>{fault.port}</code>}
          </span>
        </p>
      ))}
      <Settings
        fields={fields}
        values={node.properties}
        faults={faults}
        offers={offers}
        readOnly={!mayEdit}
        onChange={change}
      />
      {acting.length > 0 && (
        <details className="more" open={acting.some((field) => node.properties[field.name] !== undefined)}>
          <summary>When it fails</summary>
          <Settings
            fields={acting}
            values={node.properties}
            faults={faults}
            offers={[]}
            readOnly={!mayEdit}
            onChange={change}
          />
        </details>
      )}
      <details className="more">
        <summary>Name and place</summary>
        <div className="setting">
          <label htmlFor="node-name">Name for people</label>
          <input
            id="node-name"
            readOnly={!mayEdit}
            maxLength={200}
            value={node.displayName}
            onChange={(event) => props.onName(node.key, event.target.value)}
          />
        </div>
        <KeyField node={node} document={document} readOnly={!mayEdit} onRename={props.onRename} />
        <div className="setting">
          <label htmlFor="node-parent">In the body of</label>
          <select
            id="node-parent"
            disabled={!mayEdit}
            value={parentOf(node)}
            onChange={(event) => props.onParent(node.key, event.target.value)}
          >
            <option value="">none</option>
            {bodies.map((one) => (
              <option key={one.key} value={one.key}>
                {one.displayName || one.key}
              </option>
            ))}
          </select>
          <small>Its edges to nodes elsewhere are removed.</small>
        </div>
      </details>
      <section aria-label="Connections" className="wf-connections">
        <h3>Connections</h3>
        <ul>
          {edges
            .filter((edge) => edge.target === node.key)
            .map((edge) => (
              <EdgeRow
                key={edgeId(edge)}
                id={edgeId(edge)}
                other={edge.source}
                way={`from, by ${portOf(edge)}`}
                {...props}
              />
            ))}
          {edges
            .filter((edge) => edge.source === node.key)
            .map((edge) => (
              <EdgeRow
                key={edgeId(edge)}
                id={edgeId(edge)}
                other={edge.target}
                way={`to, by ${portOf(edge)}`}
                {...props}
              />
            ))}
        </ul>
        {mayEdit && outputsOf(node, kinds).length > 0 && (
          <button type="button" className="button button-small" onClick={() => props.onConnect(node.key)}>
            <Icon name="link" /> Connect
          </button>
        )}
      </section>
      {mayEdit && (
        <button type="button" className="button wf-delete" onClick={() => props.onRemove([node.key])}>
          <Icon name="trash" /> Delete
        </button>
      )}
    </section>
  );
}

interface EdgeRowProps extends Props {
  id: string;
  other: string;
  way: string;
}

function EdgeRow({ id, other, way, mayEdit, onSelectNode, onRemoveEdge }: EdgeRowProps) {
  return (
    <li>
      <small>{way}</small>
      <button type="button" className="link" onClick={() => onSelectNode(other)}>
        {other}
      </button>
      {mayEdit && (
        <button
          type="button"
          className="icon-button"
          aria-label={`Remove the connection ${way} ${other}`}
          onClick={() => onRemoveEdge(id)}
        >
          <Icon name="close" size={14} />
        </button>
      )}
    </li>
  );
}

interface KeyProps {
  node: WorkflowNode;
  document: Document;
  readOnly: boolean;
  onRename: (from: string, to: string) => void;
}

/** What a key may be: what paths of steps are made of is not in it. */
const KEY = /^[^/[\]\p{Cc}]{1,200}$/u;

function KeyField({ node, document, readOnly, onRename }: KeyProps) {
  const [key, setKey] = useState(node.key);
  useEffect(() => setKey(node.key), [node.key]);
  const taken = key !== node.key && document.nodes.has(key);
  const wrong = taken ? "Another node has this key." : KEY.test(key) ? "" : "A key has no /, [ or ].";
  const rename = () => {
    if (key !== node.key && wrong === "") onRename(node.key, key);
    else setKey(node.key);
  };
  return (
    <div className="setting">
      <label htmlFor="node-key">Key</label>
      <input
        id="node-key"
        className="code-field"
        readOnly={readOnly}
        spellCheck={false}
        aria-invalid={wrong !== ""}
        value={key}
        onChange={(event) => setKey(event.target.value)}
        onBlur={rename}
        onKeyDown={(event) => event.key === "Enter" && rename()}
      />
      {wrong ? (
        <small className="field-error">{wrong}</small>
      ) : (
        <small>Expressions call what it gave steps.{node.key}; those that do are not changed with it.</small>
      )}
    </div>
  );
}
