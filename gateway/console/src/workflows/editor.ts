// The workflow that somebody edits: what it is now, steps back, and its way to the
// mesh. Every change is saved by itself, and then the mesh says what is wrong.
import { Code } from "@connectrpc/connect";
import { createStore, type Store } from "../app/store";
import type { WorkflowFault } from "../gen/weft/execution/v1/execution_pb";
import type { Edge, Node } from "../gen/weft/graph/v1/graph_pb";
import { Backoff } from "../rpc/backoff";
import { graphs } from "../rpc/clients";
import { codeOf, describe, isTransient } from "../rpc/errors";
import { executions } from "../rpc/executions";
import { toast } from "../ui/toast";
import { type Change, difference, type Document, documentOf, onTop } from "./document";
import { History } from "./history";

/** So long after the last change it is saved. */
const SAVE_MS = 350;
const PAGE = 1_000;
/** Changes that one request takes. */
const CHANGES = 1_000;

export type SaveState = "saved" | "changed" | "saving" | "away" | "refused";

export interface EditorState {
  document: Document | null;
  /** Why it cannot be shown. */
  error: unknown;
  title: string;
  save: SaveState;
  /** What the mesh said when it refused to save. */
  problem: string;
  faults: readonly WorkflowFault[];
  /** What is shown of the faults is of the document as it is. */
  checked: boolean;
  canUndo: boolean;
  canRedo: boolean;
}

const EMPTY: Document = { nodes: new Map(), edges: new Map() };

export class Editor {
  readonly store: Store<EditorState> = createStore<EditorState>({
    document: null,
    error: null,
    title: "",
    save: "saved",
    problem: "",
    faults: [],
    checked: false,
    canUndo: false,
    canRedo: false,
  });
  private history = new History<Document>();
  private saved: Document = EMPTY;
  private revision = 0n;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private saving: Promise<void> | undefined;
  private readonly backoff = new Backoff();
  private closed = false;

  constructor(readonly name: string) {}

  async load(): Promise<void> {
    this.closed = false;
    this.store.patch({ error: null });
    try {
      this.saved = await this.read();
      this.history = new History();
      this.store.patch({ document: this.saved, save: "saved", canUndo: false, canRedo: false });
      await this.check();
    } catch (error) {
      this.store.patch({ error });
    }
  }

  close(): void {
    this.closed = true;
    // What was changed a moment ago is not lost.
    if (this.timer !== undefined) void this.flush();
  }

  private async read(): Promise<Document> {
    const graph = await graphs.getGraph({ name: this.name });
    this.revision = graph.revision;
    this.store.patch({ title: graph.displayName || graph.name.slice(graph.name.lastIndexOf("/") + 1) });
    const nodes: Node[] = [];
    const edges: Edge[] = [];
    for (let pageToken = ""; ; ) {
      const page = await graphs.listNodes({ graph: this.name, pageSize: PAGE, pageToken });
      nodes.push(...page.nodes);
      pageToken = page.nextPageToken;
      if (!pageToken) break;
    }
    for (let pageToken = ""; ; ) {
      const page = await graphs.listEdges({ graph: this.name, pageSize: PAGE, pageToken });
      edges.push(...page.edges);
      pageToken = page.nextPageToken;
      if (!pageToken) break;
    }
    return documentOf(nodes, edges);
  }

  /** Changes it; what is done at one place in one go is one step back. */
  change(make: (document: Document) => Document, place?: string): void {
    const { document } = this.store.get();
    if (!document) return;
    const next = make(document);
    if (next === document || difference(document, next).length === 0) return;
    this.history.before(document, place, Date.now());
    this.show(next);
  }

  undo(): void {
    const { document } = this.store.get();
    const before = document && this.history.undo(document);
    if (before) this.show(before);
  }

  redo(): void {
    const { document } = this.store.get();
    const next = document && this.history.redo(document);
    if (next) this.show(next);
  }

  private show(document: Document): void {
    this.store.patch({
      document,
      save: "changed",
      checked: false,
      canUndo: this.history.canUndo,
      canRedo: this.history.canRedo,
    });
    this.later(SAVE_MS);
  }

  private later(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), ms);
  }

  /** Saves what is not saved. Resolves when it is, or was refused. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.saving;
    this.saving = this.write().finally(() => {
      this.saving = undefined;
    });
    await this.saving;
  }

  private async write(): Promise<void> {
    const { document } = this.store.get();
    if (!document) return;
    const changes = difference(this.saved, document);
    try {
      if (changes.length > 0) {
        this.store.patch({ save: "saving" });
        await this.apply(changes);
        this.saved = document;
      }
      this.backoff.reset();
      if (this.store.get().document === document) {
        this.store.patch({ save: "saved", problem: "" });
        await this.check();
      }
    } catch (error) {
      await this.failed(error);
    }
  }

  private async apply(changes: readonly Change[]): Promise<void> {
    for (let at = 0; at < changes.length; at += CHANGES) {
      const { revision } = await graphs.applyChanges({
        graph: this.name,
        changes: changes.slice(at, at + CHANGES),
        expectedRevision: this.revision,
        requestId: crypto.randomUUID(),
        allowMissing: true,
      });
      this.revision = revision;
    }
  }

  private async failed(error: unknown): Promise<void> {
    if (codeOf(error) === Code.Aborted) {
      try {
        // Somebody else was faster: what was done here is done to what is there now.
        const before = this.saved;
        const mine = this.store.get().document ?? before;
        this.saved = await this.read();
        this.store.patch({ document: onTop(this.saved, before, mine), checked: false });
        toast.done("Somebody else changed it too; both changes are kept");
        this.later(0);
      } catch {
        this.retry();
      }
    } else if (isTransient(error)) {
      this.retry();
    } else {
      this.store.patch({ save: "refused", problem: describe(error) });
    }
  }

  private retry(): void {
    this.store.patch({ save: "away" });
    if (!this.closed) this.later(this.backoff.next());
  }

  /** Asks what is wrong with what is saved. */
  private async check(): Promise<void> {
    const { document } = this.store.get();
    try {
      const { faults } = await executions.validateWorkflow({ graph: this.name });
      if (this.store.get().document === document) this.store.patch({ faults, checked: true });
    } catch (error) {
      if (isTransient(error) && !this.closed) this.later(this.backoff.next());
      else this.store.patch({ problem: describe(error) });
    }
  }
}
