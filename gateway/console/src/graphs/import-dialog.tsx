import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type DragEvent, useEffect, useRef, useState } from "react";
import { GraphFormat } from "../gen/weft/graph/v1/graph_pb";
import { ImportMode, type ImportProgress, type ImportResult } from "../gen/weft/graph/v1/graph_service_pb";
import { describe, isCancelled } from "../rpc/errors";
import { Dialog } from "../ui/dialog";
import { bytes, count, lastPart, plural } from "../ui/format";
import { Icon } from "../ui/icon";
import { FORMATS, importFiles } from "./import";
import { ImportWarnings } from "./import-warnings";

type Phase =
  | { kind: "choose" }
  | { kind: "running"; progress: ImportProgress | null }
  | { kind: "done"; result: ImportResult }
  | { kind: "failed"; error: unknown };

export function ImportDialog({ graph, onClose }: { graph: string; onClose: () => void }) {
  const queries = useQueryClient();
  const [files, setFiles] = useState<File[]>([]);
  const [format, setFormat] = useState(GraphFormat.UNSPECIFIED);
  const [mode, setMode] = useState(ImportMode.MERGE);
  const [phase, setPhase] = useState<Phase>({ kind: "choose" });
  const [over, setOver] = useState(false);
  const stop = useRef<AbortController | null>(null);
  const requestId = useRef(crypto.randomUUID());
  useEffect(() => () => stop.current?.abort(), []);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const [, project, , id] = graph.split("/");

  const run = async () => {
    stop.current = new AbortController();
    setPhase({ kind: "running", progress: null });
    try {
      const result = await importFiles(
        files,
        { graph, format, mode, requestId: requestId.current },
        (progress) => setPhase({ kind: "running", progress }),
        stop.current.signal,
      );
      setPhase({ kind: "done", result });
      void queries.invalidateQueries({ queryKey: ["graphs"] });
    } catch (error) {
      requestId.current = crypto.randomUUID();
      setPhase(isCancelled(error) ? { kind: "choose" } : { kind: "failed", error });
    }
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    setFiles([...event.dataTransfer.files]);
  };

  return (
    <Dialog title={`Import into ${lastPart(graph)}`} onClose={onClose} sticky>
      {phase.kind === "done" ? (
        <ImportDone result={phase.result}>
          <button type="button" className="button" onClick={onClose}>
            Close
          </button>
          <Link
            to="/graphs/$project/$graph"
            params={{ project, graph: id }}
            className="button button-primary"
            onClick={onClose}
          >
            Open the graph
          </Link>
        </ImportDone>
      ) : phase.kind === "running" ? (
        <ImportRunning progress={phase.progress} total={total} onStop={() => stop.current?.abort()} />
      ) : (
        <form
          className="form"
          onSubmit={(event) => {
            event.preventDefault();
            void run();
          }}
        >
          <label
            className={`drop ${over ? "drop-over" : ""}`}
            onDragOver={(event) => {
              event.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={drop}
          >
            <Icon name="upload" size={22} />
            <span>
              {files.length === 0 ? "Drop files here, or choose them" : plural(files.length, "file")}
            </span>
            <small>
              {files.length === 0
                ? "Edge lists, CSV, GraphML, GEXF, JSON Graph, Markdown; plain or .gz"
                : `${files
                    .map((file) => file.name)
                    .slice(0, 4)
                    .join(", ")}${files.length > 4 ? ", …" : ""} · ${bytes(total)}`}
            </small>
            <input
              type="file"
              multiple
              aria-label="Files"
              onChange={(event) => setFiles([...(event.target.files ?? [])])}
            />
          </label>
          <div className="form-row">
            <label>
              Format
              <select value={format} onChange={(event) => setFormat(Number(event.target.value))}>
                <option value={GraphFormat.UNSPECIFIED}>find out from the files</option>
                {FORMATS.map((one) => (
                  <option key={one.format} value={one.format}>
                    {one.name}
                  </option>
                ))}
              </select>
            </label>
            <label>
              What is there
              <select value={mode} onChange={(event) => setMode(Number(event.target.value))}>
                <option value={ImportMode.MERGE}>stays; the files are added</option>
                <option value={ImportMode.REPLACE}>is replaced by the files</option>
              </select>
            </label>
          </div>
          {phase.kind === "failed" && (
            <p className="field-error" role="alert">
              {describe(phase.error)} Nothing was changed.
            </p>
          )}
          <footer className="dialog-foot">
            <button type="button" className="button" onClick={onClose}>
              Cancel
            </button>
            <button type="submit" className="button button-primary" disabled={files.length === 0}>
              Import
            </button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}

function ImportRunning(props: { progress: ImportProgress | null; total: number; onStop: () => void }) {
  const { progress, total } = props;
  const received = Number(progress?.receivedBytes ?? 0n);
  return (
    <div className="form" role="status">
      <progress max={Math.max(total, 1)} value={received} aria-label="Bytes received" />
      <p>
        {bytes(received)} of {bytes(total)} · {count(progress?.nodeCount ?? 0n)} nodes ·{" "}
        {count(progress?.edgeCount ?? 0n)} edges
      </p>
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={props.onStop}>
          Stop
        </button>
      </footer>
    </div>
  );
}

function ImportDone({ result, children }: { result: ImportResult; children: React.ReactNode }) {
  const rows: [string, bigint, bigint, bigint][] = [
    ["Nodes", result.createdNodeCount, result.updatedNodeCount, result.deletedNodeCount],
    ["Edges", result.createdEdgeCount, result.updatedEdgeCount, result.deletedEdgeCount],
  ];
  return (
    <div className="form" data-testid="import-done">
      <p>Done: revision {count(result.revision)}.</p>
      <table className="small-table">
        <thead>
          <tr>
            <th scope="col">
              <span className="hidden-text">What</span>
            </th>
            <th scope="col">new</th>
            <th scope="col">replaced</th>
            <th scope="col">deleted</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([what, ...numbers]) => (
            <tr key={what}>
              <th scope="row">{what}</th>
              {numbers.map((number, i) => (
                <td key={i}>{count(number)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <ImportWarnings result={result} />
      <footer className="dialog-foot">{children}</footer>
    </div>
  );
}
