// The addresses of the console. Everything a person may want to send to another
// is in them: project, filter, graph, node, view.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { readLogsSearch } from "../logs/search";
import type { TelemetrySearch } from "../telemetry/search";
import { readTracesSearch } from "../traces/search";
import { Broken, Loading, NotFound, Shell } from "./shell";

// Each page is a file of its own, loaded when somebody goes there or is about to.
const GraphsPage = lazyRouteComponent(() => import("../graphs/page"), "GraphsPage");
const GraphPage = lazyRouteComponent(() => import("../graph/page"), "GraphPage");
const FleetPage = lazyRouteComponent(() => import("../fleet/page"), "FleetPage");
const AgentPage = lazyRouteComponent(() => import("../fleet/agent-page"), "AgentPage");
const CommandsPage = lazyRouteComponent(() => import("../commands/page"), "CommandsPage");
const CommandPage = lazyRouteComponent(() => import("../commands/command-page"), "CommandPage");
const ExecutionsPage = lazyRouteComponent(() => import("../executions/page"), "ExecutionsPage");
const ExecutionPage = lazyRouteComponent(() => import("../executions/execution-page"), "ExecutionPage");
const LimitsPage = lazyRouteComponent(() => import("../executions/limits-page"), "LimitsPage");
const WorkflowsPage = lazyRouteComponent(() => import("../workflows/page"), "WorkflowsPage");
const EditorPage = lazyRouteComponent(() => import("../workflows/editor-page"), "EditorPage");
const TriggersPage = lazyRouteComponent(() => import("../triggers/page"), "TriggersPage");
const DeadLettersPage = lazyRouteComponent(() => import("../triggers/dead-letters"), "DeadLettersPage");
const TriggerPage = lazyRouteComponent(() => import("../triggers/trigger-page"), "TriggerPage");
const ApprovalsPage = lazyRouteComponent(() => import("../approvals/page"), "ApprovalsPage");
const TelemetryPage = lazyRouteComponent(() => import("../telemetry/page"), "TelemetryPage");
const LogsPage = lazyRouteComponent(() => import("../logs/page"), "LogsPage");
const TracesPage = lazyRouteComponent(() => import("../traces/page"), "TracesPage");
const TracePage = lazyRouteComponent(() => import("../traces/trace-page"), "TracePage");
const AlertsPage = lazyRouteComponent(() => import("../alerts/page"), "AlertsPage");
const settingsPages = () => import("../settings/pages");
const SettingsLayout = lazyRouteComponent(settingsPages, "SettingsLayout");
const GeneralPage = lazyRouteComponent(settingsPages, "GeneralPage");
const ApiKeysPage = lazyRouteComponent(settingsPages, "ApiKeysPage");
const RoutesPage = lazyRouteComponent(settingsPages, "RoutesPage");
const SecretsPage = lazyRouteComponent(settingsPages, "SecretsPage");

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/graphs" });
  },
});

export interface GraphsSearch {
  project?: string;
  q?: string;
  sort?: string;
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value ? value : undefined);

const whole = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) ? (value as number) : undefined;

const graphs = createRoute({
  getParentRoute: () => root,
  path: "/graphs",
  component: GraphsPage,
  validateSearch: (search: Record<string, unknown>): GraphsSearch => ({
    project: text(search.project),
    q: text(search.q),
    sort: text(search.sort),
  }),
});

export interface GraphSearch {
  node?: string;
  view?: "table" | "sources";
  source?: string;
  /** An analysis in its panel; `all` is the list of them. */
  analysis?: string;
}

const graph = createRoute({
  getParentRoute: () => root,
  path: "/graphs/$project/$graph",
  component: GraphPage,
  validateSearch: (search: Record<string, unknown>): GraphSearch => ({
    // A node's key may be all digits, which the address bar turns into a number.
    node: search.node === undefined ? undefined : String(search.node),
    view: search.view === "table" || search.view === "sources" ? search.view : undefined,
    source: search.source === undefined ? undefined : String(search.source),
    analysis: search.analysis === undefined ? undefined : String(search.analysis),
  }),
});

export interface FleetSearch {
  project?: string;
  q?: string;
  sort?: string;
  /** States to show, separated by commas; all without. */
  state?: string;
  group?: string;
}

const fleet = createRoute({
  getParentRoute: () => root,
  path: "/fleet",
  component: FleetPage,
  validateSearch: (search: Record<string, unknown>): FleetSearch => ({
    project: text(search.project),
    q: text(search.q),
    sort: text(search.sort),
    state: text(search.state),
    group: text(search.group),
  }),
});

const agent = createRoute({
  getParentRoute: () => root,
  path: "/fleet/$project/$agent",
  component: AgentPage,
});

export interface CommandsSearch {
  project?: string;
  state?: string;
  type?: string;
}

const commands = createRoute({
  getParentRoute: () => root,
  path: "/commands",
  component: CommandsPage,
  validateSearch: (search: Record<string, unknown>): CommandsSearch => ({
    project: text(search.project),
    state: text(search.state),
    type: text(search.type),
  }),
});

const command = createRoute({
  getParentRoute: () => root,
  path: "/commands/$project/$command",
  component: CommandPage,
  validateSearch: (search: Record<string, unknown>): { target?: string } => ({
    target: search.target === undefined ? undefined : String(search.target),
  }),
});

export interface ExecutionsSearch {
  project?: string;
  state?: string;
  workflow?: string;
  q?: string;
}

const executions = createRoute({
  getParentRoute: () => root,
  path: "/executions",
  component: ExecutionsPage,
  validateSearch: (search: Record<string, unknown>): ExecutionsSearch => ({
    project: text(search.project),
    state: text(search.state),
    // A workflow, or a word, may be all digits, which the address bar turns into a number.
    workflow: search.workflow === undefined ? undefined : text(String(search.workflow)),
    q: search.q === undefined ? undefined : text(String(search.q)),
  }),
});

const limits = createRoute({
  getParentRoute: () => root,
  path: "/executions/limits",
  component: LimitsPage,
  validateSearch: (search: Record<string, unknown>): { project?: string } => ({
    project: text(search.project),
  }),
});

const execution = createRoute({
  getParentRoute: () => root,
  path: "/executions/$project/$execution",
  component: ExecutionPage,
  validateSearch: (search: Record<string, unknown>): { step?: number } => ({ step: whole(search.step) }),
});

const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  component: WorkflowsPage,
  validateSearch: (search: Record<string, unknown>): { project?: string; q?: string } => ({
    project: text(search.project),
    q: search.q === undefined ? undefined : text(String(search.q)),
  }),
});

const workflow = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$project/$graph",
  component: EditorPage,
});

export interface TriggersSearch {
  project?: string;
  workflow?: string;
  q?: string;
  /** The form of a new one is open. */
  make?: true;
}

const triggers = createRoute({
  getParentRoute: () => root,
  path: "/triggers",
  component: TriggersPage,
  validateSearch: (search: Record<string, unknown>): TriggersSearch => ({
    project: text(search.project),
    workflow: search.workflow === undefined ? undefined : text(String(search.workflow)),
    q: search.q === undefined ? undefined : text(String(search.q)),
    make: search.make === true ? true : undefined,
  }),
});

const trigger = createRoute({
  getParentRoute: () => root,
  path: "/triggers/$project/$trigger",
  component: TriggerPage,
  validateSearch: (search: Record<string, unknown>): { delivery?: string } => ({
    delivery: text(search.delivery),
  }),
});

const deadLetters = createRoute({
  getParentRoute: () => root,
  path: "/dead-letters",
  component: DeadLettersPage,
  validateSearch: (search: Record<string, unknown>): { project?: string; q?: string } => ({
    project: text(search.project),
    q: search.q === undefined ? undefined : text(String(search.q)),
  }),
});

const approvals = createRoute({
  getParentRoute: () => root,
  path: "/approvals",
  component: ApprovalsPage,
  validateSearch: (search: Record<string, unknown>): { project?: string } => ({
    project: text(search.project),
  }),
});

const telemetry = createRoute({
  getParentRoute: () => root,
  path: "/telemetry",
  component: TelemetryPage,
  validateSearch: (search: Record<string, unknown>): TelemetrySearch => ({
    project: text(search.project),
    // A query may be a number, which the address bar makes one.
    q: search.q === undefined ? undefined : text(String(search.q)),
    last: text(search.last),
    from: whole(search.from),
    to: whole(search.to),
    every: text(search.every),
    before: text(search.before),
    ahead: text(search.ahead),
    threshold: Number.isFinite(search.threshold) ? (search.threshold as number) : undefined,
    below: search.below === true || undefined,
    anomalies: search.anomalies === true || undefined,
  }),
});

const logs = createRoute({
  getParentRoute: () => root,
  path: "/logs",
  component: LogsPage,
  validateSearch: readLogsSearch,
});

const traces = createRoute({
  getParentRoute: () => root,
  path: "/traces",
  component: TracesPage,
  validateSearch: readTracesSearch,
});

const trace = createRoute({
  getParentRoute: () => root,
  path: "/traces/$project/$trace",
  component: TracePage,
  validateSearch: (search: Record<string, unknown>): { span?: string } => ({
    span: search.span === undefined ? undefined : text(String(search.span)),
  }),
});

export interface AlertsSearch {
  project?: string;
  view?: "rules" | "silences";
}

const alerts = createRoute({
  getParentRoute: () => root,
  path: "/alerts",
  component: AlertsPage,
  validateSearch: (search: Record<string, unknown>): AlertsSearch => ({
    project: text(search.project),
    view: search.view === "rules" || search.view === "silences" ? search.view : undefined,
  }),
});

const settings = createRoute({ getParentRoute: () => root, path: "/settings", component: SettingsLayout });
const general = createRoute({ getParentRoute: () => settings, path: "/", component: GeneralPage });
const apiKeys = createRoute({
  getParentRoute: () => settings,
  path: "/api-keys",
  component: ApiKeysPage,
  validateSearch: (search: Record<string, unknown>): { project?: string } => ({
    project: text(search.project),
  }),
});

const secrets = createRoute({
  getParentRoute: () => settings,
  path: "/secrets",
  component: SecretsPage,
  validateSearch: (search: Record<string, unknown>): { project?: string } => ({
    project: text(search.project),
  }),
});

const routes = createRoute({ getParentRoute: () => settings, path: "/routes", component: RoutesPage });

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    graphs,
    graph,
    fleet,
    agent,
    commands,
    command,
    workflows,
    workflow,
    executions,
    limits,
    execution,
    triggers,
    trigger,
    deadLetters,
    approvals,
    telemetry,
    logs,
    traces,
    trace,
    alerts,
    settings.addChildren([general, apiKeys, secrets, routes]),
  ]),
  defaultPreload: "intent",
  defaultPendingComponent: Loading,
  defaultErrorComponent: Broken,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
