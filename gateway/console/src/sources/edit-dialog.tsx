import { create } from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import type { Folder, Source } from "../gen/weft/graph/v1/source_pb";
import { FORMATS } from "../graphs/import";
import { GraphFormat } from "../gen/weft/graph/v1/graph_pb";
import { Loading } from "../app/shell";
import { sources } from "../rpc/sources";
import { Dialog } from "../ui/dialog";
import { Problem } from "../ui/form";
import { isId, lastPart, slug } from "../ui/format";
import { Failure } from "../ui/states";
import { OpenAFolder, useFolders } from "./empty";
import { LinkFields } from "./link-fields";
import { sourcesKey } from "./refreshes";
import { MASK, pathProblem, type Settings, settingsOf, sourceFrom } from "./settings";

interface Props {
  project: string;
  graph: string;
  /** Null makes a new one. */
  source: Source | null;
  mayRefresh: boolean;
  onClose: () => void;
  onSaved: (source: Source, next: "stay" | "refresh") => void;
}

export function EditSourceDialog(props: Props) {
  const { project, source, onClose } = props;
  const folders = useFolders(project);
  const title = source ? `Edit ${source.displayName || lastPart(source.name)}` : "New source";
  return (
    <Dialog title={title} onClose={onClose} sticky>
      {folders.isError ? (
        <Failure
          title="The folders cannot be listed"
          error={folders.error}
          onRetry={() => folders.refetch()}
        />
      ) : folders.isPending ? (
        <Loading label="Asking which folders are open" />
      ) : folders.data.length === 0 && !source ? (
        <OpenAFolder project={project} />
      ) : (
        <SourceForm {...props} folders={folders.data} />
      )}
    </Dialog>
  );
}

function SourceForm({ graph, source, folders, mayRefresh, onClose, onSaved }: Props & { folders: Folder[] }) {
  const queries = useQueryClient();
  const [settings, setSettings] = useState<Settings>(() => ({
    ...settingsOf(source),
    folder: settingsOf(source).folder || (folders.find((one) => one.available) ?? folders[0]).name,
  }));
  const [typedId, setTypedId] = useState<string | null>(null);
  // One id for all attempts of this dialog: a repeat after a lost answer is harmless.
  const requestId = useRef(crypto.randomUUID());
  const set = (part: Partial<Settings>) => setSettings({ ...settings, ...part });
  const sourceId = typedId ?? slug(settings.displayName);
  const problem = pathProblem(settings.path);
  const save = useMutation({
    mutationFn: (_next: "stay" | "refresh") => {
      const next = sourceFrom(settings);
      return source
        ? sources.updateSource({
            source: { ...next, name: source.name, etag: source.etag },
            updateMask: create(FieldMaskSchema, { paths: [...MASK] }),
          })
        : sources.createSource({ parent: graph, sourceId, source: next, requestId: requestId.current });
    },
    onSuccess: (saved, next) => {
      queries.setQueryData<Source[]>(sourcesKey(graph), (list) =>
        [...(list ?? []).filter((one) => one.name !== saved.name), saved].sort((a, b) =>
          a.name < b.name ? -1 : 1,
        ),
      );
      void queries.invalidateQueries({ queryKey: sourcesKey(graph) });
      onSaved(saved, next);
    },
    onError: () => {
      requestId.current = crypto.randomUUID();
    },
  });
  const valid = problem === "" && (source !== null || (settings.displayName.trim() !== "" && isId(sourceId)));
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(source || !mayRefresh ? "stay" : "refresh");
      }}
    >
      <div className="form-row">
        <label>
          Name
          <input
            required={!source}
            maxLength={200}
            value={settings.displayName}
            onChange={(event) => set({ displayName: event.target.value })}
          />
        </label>
        {source ? (
          <label>
            Id
            <input value={lastPart(source.name)} disabled />
          </label>
        ) : (
          <label title="Lower-case letters, digits and hyphens; cannot be changed later. Its nodes carry it as their origin.">
            Id
            <input
              value={sourceId}
              maxLength={63}
              spellCheck={false}
              aria-invalid={sourceId !== "" && !isId(sourceId)}
              onChange={(event) => setTypedId(event.target.value)}
            />
          </label>
        )}
      </div>
      <FolderFields settings={settings} set={set} folders={folders} problem={problem} />
      <div className="form-row">
        <label>
          Only files like
          <textarea
            rows={2}
            spellCheck={false}
            className="mono"
            placeholder="**/*.md"
            value={settings.include}
            onChange={(event) => set({ include: event.target.value })}
          />
        </label>
        <label>
          Not files like
          <textarea
            rows={2}
            spellCheck={false}
            className="mono"
            placeholder="drafts/**"
            value={settings.exclude}
            onChange={(event) => set({ exclude: event.target.value })}
          />
        </label>
        <p className="hint form-hint">
          One pattern a line: <code>*</code> within a name, <code>**</code> across folders,{" "}
          <code>{"{md,txt}"}</code> either. Names that begin with a dot are left out.
        </p>
      </div>
      <LinkFields links={settings.links} onChange={(links) => set({ links })} />
      <details
        className="more"
        open={
          !!source &&
          (settings.format !== GraphFormat.UNSPECIFIED ||
            !!settings.defaultNodeType ||
            !!settings.defaultEdgeType)
        }
      >
        <summary>Format and types</summary>
        <FormatFields settings={settings} set={set} />
      </details>
      <Problem error={save.error} />
      <footer className="dialog-foot">
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        {!source && mayRefresh && (
          <button
            type="button"
            className="button"
            disabled={!valid || save.isPending}
            onClick={() => save.mutate("stay")}
          >
            Create
          </button>
        )}
        <button type="submit" className="button button-primary" disabled={!valid || save.isPending}>
          {source ? "Save" : mayRefresh ? "Create and refresh" : "Create"}
        </button>
      </footer>
    </form>
  );
}

interface FieldsProps {
  settings: Settings;
  set: (part: Partial<Settings>) => void;
}

function FolderFields({
  settings,
  set,
  folders,
  problem,
}: FieldsProps & { folders: Folder[]; problem: string }) {
  const chosen = folders.find((one) => one.name === settings.folder);
  return (
    <div className="form-row">
      <label>
        Folder
        <select value={settings.folder} onChange={(event) => set({ folder: event.target.value })}>
          {!chosen && (
            <option value={settings.folder}>{lastPart(settings.folder)} (not open any more)</option>
          )}
          {folders.map((one) => (
            <option key={one.name} value={one.name}>
              {lastPart(one.name)}
              {one.available ? "" : " (cannot be read now)"}
            </option>
          ))}
        </select>
        {chosen?.description && <small>{chosen.description}</small>}
      </label>
      <label>
        Path in it
        <input
          value={settings.path}
          maxLength={1024}
          spellCheck={false}
          placeholder="the whole folder"
          aria-invalid={problem !== ""}
          onChange={(event) => set({ path: event.target.value })}
        />
        {problem && <small className="field-error">{problem}</small>}
      </label>
    </div>
  );
}

function FormatFields({ settings, set }: FieldsProps) {
  return (
    <div className="form-row form-row-3">
      <label>
        Format
        <select value={settings.format} onChange={(event) => set({ format: Number(event.target.value) })}>
          <option value={GraphFormat.UNSPECIFIED}>find out</option>
          {FORMATS.map((one) => (
            <option key={one.format} value={one.format}>
              {one.name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Type of nodes
        <input
          value={settings.defaultNodeType}
          maxLength={128}
          placeholder="as the files say"
          onChange={(event) => set({ defaultNodeType: event.target.value })}
        />
      </label>
      <label>
        Type of edges
        <input
          value={settings.defaultEdgeType}
          maxLength={128}
          placeholder="as the files say"
          onChange={(event) => set({ defaultEdgeType: event.target.value })}
        />
      </label>
    </div>
  );
}
