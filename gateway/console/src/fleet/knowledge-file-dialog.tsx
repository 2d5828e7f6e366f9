// One knowledge file of a host: what it tells of itself, and its text where the owner shows that.
import { useQuery } from "@tanstack/react-query";
import type { Agent } from "../gen/weft/agent/v1/agent_pb";
import type { KnowledgeFile } from "../gen/weft/agent/v1/knowledge_pb";
import { describe } from "../rpc/errors";
import { hosts } from "../rpc/fleet";
import { Dialog } from "../ui/dialog";
import { bytes, when } from "../ui/format";
import { Skeleton } from "../ui/states";
import { accessTo, fileKindName } from "./host-model";

interface Props {
  agent: Agent;
  name: string;
  onClose: () => void;
}

export function KnowledgeFileDialog({ agent, name, onClose }: Props) {
  const file = useQuery({
    queryKey: ["knowledge-file", name],
    queryFn: ({ signal }) => hosts.getKnowledgeFile({ name }, { signal }),
    retry: false,
  });
  return (
    <Dialog title={file.data?.title ?? "Knowledge file"} onClose={onClose}>
      {file.error ? (
        <p className="field-error" role="alert">
          {describe(file.error)}
        </p>
      ) : file.data ? (
        <Facts file={file.data} />
      ) : (
        <Skeleton width="60%" />
      )}
      {accessTo(agent, "knowledge-content") === "open" && <Text name={name} />}
    </Dialog>
  );
}

function Facts({ file }: { file: KnowledgeFile }) {
  const facts: [string, string][] = [
    ["Folder", file.folder],
    ["Path", file.path],
    ["Kind", fileKindName(file.kind)],
    ["Size", bytes(Number(file.sizeBytes))],
    ["Written", when(file.updateTime)],
    ["Tags", file.tags.join(", ")],
    ["By", file.creators.join(", ")],
    ["Confidence", file.confidenceRatio === undefined ? "" : String(file.confidenceRatio)],
    ["Links to", file.links.join(", ")],
    ["SHA-256", file.digest],
    ["Problem", file.problem],
  ];
  return (
    <dl className="facts knowledge-facts">
      {facts
        .filter(([, value]) => value !== "")
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** The first piece of its text: a look, and no reader. */
function Text({ name }: { name: string }) {
  const text = useQuery({
    queryKey: ["knowledge-text", name],
    queryFn: ({ signal }) => hosts.readKnowledgeFile({ name }, { signal }),
    retry: false,
  });
  if (text.error) return <p className="hint">{describe(text.error)}</p>;
  if (!text.data) return <Skeleton width="80%" />;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
      <section className="knowledge-text" tabIndex={0} aria-label="Text">
        <pre>{text.data.text}</pre>
      </section>
      {text.data.nextOffsetBytes > 0n && (
        <p className="hint">
          The first {bytes(Number(text.data.nextOffsetBytes))} of {bytes(Number(text.data.sizeBytes))}.
        </p>
      )}
    </>
  );
}
