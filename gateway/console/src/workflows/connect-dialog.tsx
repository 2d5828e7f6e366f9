// Joining two nodes without a mouse: by which port, and to which node.
import { useState } from "react";
import { Dialog } from "../ui/dialog";
import { DialogFoot } from "../ui/form";
import type { Document } from "./document";
import { freePort, mayConnect } from "./edits";
import { type Kinds, outputsOf } from "./ports";

interface Props {
  document: Document;
  kinds: Kinds;
  source: string;
  onClose: () => void;
  onConnect: (port: string, target: string) => void;
}

export function ConnectDialog({ document, kinds, source, onClose, onConnect }: Props) {
  const node = document.nodes.get(source);
  const targets = [...document.nodes.values()].filter((other) =>
    mayConnect(document, source, other.key, kinds),
  );
  const [port, setPort] = useState(node ? (freePort(document, node, kinds) ?? "out") : "out");
  const [target, setTarget] = useState(targets[0]?.key ?? "");
  if (!node) return null;
  return (
    <Dialog title={`Connect ${node.displayName || node.key}`} onClose={onClose}>
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          onConnect(port, target);
        }}
      >
        <label>
          From its port
          <select value={port} onChange={(event) => setPort(event.target.value)}>
            {outputsOf(node, kinds).map(({ name, description }) => (
              <option key={name} value={name}>
                {name}: {description}
              </option>
            ))}
          </select>
        </label>
        <label>
          To
          <select value={target} onChange={(event) => setTarget(event.target.value)}>
            {targets.map((other) => (
              <option key={other.key} value={other.key}>
                {other.displayName ? `${other.displayName} (${other.key})` : other.key}
              </option>
            ))}
          </select>
          <small>
            Nodes of the same body. Where one edge may enter, it takes the place of the one that does.
          </small>
        </label>
        <DialogFoot label="Connect" disabled={target === ""} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
