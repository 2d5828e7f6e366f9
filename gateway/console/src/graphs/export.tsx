// A graph as a file on the person's disk.
import { graphs } from "../rpc/clients";
import { describe } from "../rpc/errors";
import { lastPart } from "../ui/format";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/menu";
import { save } from "../ui/save";
import { toast } from "../ui/toast";
import { FORMATS } from "./import";

async function exportGraph(graph: string, choice: (typeof FORMATS)[number]): Promise<void> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let contentType = "application/octet-stream";
  try {
    for await (const body of graphs.exportGraph({ graph, format: choice.format })) {
      if (body.contentType) contentType = body.contentType;
      parts.push(new Uint8Array(body.data));
    }
  } catch (error) {
    toast.error(describe(error));
    return;
  }
  save(new Blob(parts, { type: contentType }), `${lastPart(graph)}.${choice.extension}`);
}

export function ExportMenu({ graph, labelled = false }: { graph: string; labelled?: boolean }) {
  return (
    <Popover
      label={`Export ${lastPart(graph)}`}
      buttonClass={labelled ? "button" : "icon-button"}
      align="right"
      button={
        <>
          <Icon name="download" /> {labelled && "Export"}
        </>
      }
    >
      {(close) => (
        <div className="menu">
          <p className="menu-title">Export as</p>
          {FORMATS.map((choice) => (
            <button
              key={choice.format}
              type="button"
              className="menu-item"
              onClick={() => {
                close();
                void exportGraph(graph, choice);
              }}
            >
              <span>{choice.name}</span>
              <small>.{choice.extension}</small>
            </button>
          ))}
        </div>
      )}
    </Popover>
  );
}
