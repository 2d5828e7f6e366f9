// What the gateway serves, as the page of routes shows it: by upstream, service and method.
import { CallKind, type Route } from "../gen/weft/gateway/v1/gateway_service_pb";
import { Access } from "../gen/weft/options/v1/options_pb";

export interface Method {
  name: string;
  path: string;
  kind: string;
  access: string;
  tool: boolean;
  /** `GET /v1/…`; without one the method takes JSON by Connect. */
  rest: string[];
  /** Where the documentation page has it, with a form that calls it. */
  docs: string | undefined;
}

export interface Service {
  name: string;
  methods: Method[];
}

export interface Upstream {
  /** Empty for the mesh itself. */
  name: string;
  connections: { healthy: number; all: number };
  services: Service[];
}

const KINDS: Record<CallKind, string> = {
  [CallKind.UNSPECIFIED]: "",
  [CallKind.UNARY]: "one answer",
  [CallKind.SERVER_STREAM]: "stream of answers",
  [CallKind.CLIENT_STREAM]: "stream of messages",
  [CallKind.BIDIRECTIONAL_STREAM]: "streams both ways",
};

const takesStream = (kind: CallKind) =>
  kind === CallKind.CLIENT_STREAM || kind === CallKind.BIDIRECTIONAL_STREAM;

/** `/weft.graph.v1.GraphService/GetGraph` as service and method. */
const parts = (path: string): [string, string] => {
  const end = path.lastIndexOf("/");
  return [path.slice(1, end), path.slice(end + 1)];
};
const simpleName = (service: string) => service.slice(service.lastIndexOf(".") + 1);

/**
 * What a service is called in the OpenAPI document: by its simple name, unless another one has it too; of
 * those that share it, one of the mesh's own keeps it.
 */
export function documentNames(routes: Route[]): (service: string) => string {
  const claims = new Map<string, { own: Set<string>; all: Set<string> }>();
  for (const route of routes.filter((route) => route.httpRoutes.length > 0)) {
    const [service] = parts(route.path);
    const claim = claims.get(simpleName(service)) ?? { own: new Set(), all: new Set() };
    claims.set(simpleName(service), claim);
    claim.all.add(service);
    if (!route.upstream) claim.own.add(service);
  }
  return (service) => {
    const claim = claims.get(simpleName(service));
    const holders = claim?.own.size ? claim.own : claim?.all;
    return holders?.size === 1 && holders.has(service) ? simpleName(service) : service.replaceAll(".", "_");
  };
}

/** The mesh itself first, then the upstreams by name; only methods in which all words of `filter` occur. */
export function upstreams(routes: Route[], filter: string): Upstream[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const named = documentNames(routes);
  const found = new Map<string, Upstream>();
  for (const route of routes) {
    const [service, name] = parts(route.path);
    const rest = route.httpRoutes.map(({ method, path }) => `${method} ${path}`);
    const text = [route.path, route.upstream, ...rest].join(" ").toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const upstream = found.get(route.upstream) ?? {
      name: route.upstream,
      connections: health(route),
      services: [],
    };
    found.set(route.upstream, upstream);
    // By path: methods of one service stand together.
    if (upstream.services.at(-1)?.name !== service) upstream.services.push({ name: service, methods: [] });
    upstream.services.at(-1)?.methods.push({
      name,
      path: route.path,
      kind: KINDS[route.kind],
      access: (Access[route.access] ?? "").toLowerCase(),
      tool: route.mcpTool,
      rest,
      docs: rest.length > 0 && !takesStream(route.kind) ? `/docs#${named(service)}_${name}` : undefined,
    });
  }
  return [...found.values()].sort((one, other) => one.name.localeCompare(other.name));
}

const health = (route: Route) => ({ healthy: route.healthyConnectionCount, all: route.connectionCount });
