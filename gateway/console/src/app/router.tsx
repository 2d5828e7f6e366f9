// The addresses of the console. Everything a person may want to send to another
// is in them: project, filter, graph, node, view.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { Broken, Loading, NotFound, Shell } from "./shell";

// Each page is a file of its own, loaded when somebody goes there or is about to.
const GraphsPage = lazyRouteComponent(() => import("../graphs/page"), "GraphsPage");
const GraphPage = lazyRouteComponent(() => import("../graph/page"), "GraphPage");
const FleetPage = lazyRouteComponent(() => import("../fleet/page"), "FleetPage");
const AgentPage = lazyRouteComponent(() => import("../fleet/agent-page"), "AgentPage");
const CommandsPage = lazyRouteComponent(() => import("../commands/page"), "CommandsPage");
const CommandPage = lazyRouteComponent(() => import("../commands/command-page"), "CommandPage");
const settingsPages = () => import("../settings/pages");
const SettingsLayout = lazyRouteComponent(settingsPages, "SettingsLayout");
const GeneralPage = lazyRouteComponent(settingsPages, "GeneralPage");
const ApiKeysPage = lazyRouteComponent(settingsPages, "ApiKeysPage");
const RoutesPage = lazyRouteComponent(settingsPages, "RoutesPage");

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
    settings.addChildren([general, apiKeys, routes]),
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
