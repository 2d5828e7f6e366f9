// Every method that the gateway serves now: by upstream and service, and how each is reached.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { useStore } from "../app/store";
import { session } from "../auth/session";
import {
  GatewayService,
  type ListRoutesResponse,
  type Route,
  type UpstreamProblem,
} from "../gen/weft/gateway/v1/gateway_service_pb";
import { gateway } from "../rpc/gateway";
import { may } from "../rpc/policy";
import { Icon } from "../ui/icon";
import { Empty, Failure, Skeleton } from "../ui/states";
import { type Method, type Service, type Upstream, upstreams } from "./routes";

/** Upstreams come and go, and so do the connections to them. */
const REFRESH_MILLISECONDS = 5000;

export function RoutesPage() {
  const { principal } = useStore(session.store);
  const allowed = may(principal, GatewayService.method.listRoutes, "mesh");
  const [filter, setFilter] = useState("");
  useEffect(() => {
    document.title = "Routes · weft";
  }, []);
  const list = useQuery({
    queryKey: ["routes"],
    queryFn: listAll,
    enabled: allowed,
    refetchInterval: REFRESH_MILLISECONDS,
  });
  const shown = useMemo(() => upstreams(list.data?.routes ?? [], filter), [list.data, filter]);
  const count = shown.flatMap((upstream) => upstream.services).flatMap((service) => service.methods).length;
  if (!allowed) {
    return (
      <Empty icon="path" title="Routes are for who runs the mesh">
        <p>You need to be a viewer of the project mesh to see what the gateway serves.</p>
      </Empty>
    );
  }
  // What was heard before stays, while the mesh is away for a moment.
  if (list.isError && !list.data) {
    return <Failure title="The routes cannot be listed" error={list.error} onRetry={() => list.refetch()} />;
  }
  return (
    <div className="stack routes">
      <div className="toolbar">
        <input
          className="input"
          type="search"
          placeholder="Method, path or upstream"
          aria-label="Filter the routes"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <span className="toolbar-count" role="status">
          {list.data && `${count} ${count === 1 ? "method" : "methods"}`}
        </span>
        <a className="button" href="/docs">
          Documentation
        </a>
      </div>
      {list.data?.problems.map((problem) => (
        <Problem key={problem.upstream} problem={problem} />
      ))}
      {list.isPending ? (
        <div className="card">
          {[70, 50, 60].map((width) => (
            <p key={width}>
              <Skeleton width={`${width}%`} />
            </p>
          ))}
        </div>
      ) : shown.length === 0 ? (
        <Empty icon="path" title={filter ? "No method is like that" : "The gateway serves nothing"} />
      ) : (
        shown.map((upstream) => <Section key={upstream.name} upstream={upstream} open={filter !== ""} />)
      )}
    </div>
  );
}

function Problem({ problem }: { problem: UpstreamProblem }) {
  return (
    <p className="routes-problem" role="alert">
      <Icon name="alert" />
      <span>
        <strong>{problem.upstream}</strong> {problem.description}
      </span>
    </p>
  );
}

function Section({ upstream, open }: { upstream: Upstream; open: boolean }) {
  const { healthy, all } = upstream.connections;
  return (
    <section className="routes-upstream">
      <header>
        <h2>{upstream.name || "The mesh itself"}</h2>
        {upstream.name && (
          <span
            className="routes-health"
            data-state={healthy === 0 ? "bad" : healthy < all ? "some" : "good"}
          >
            {healthy} of {all} connections are good
          </span>
        )}
      </header>
      {upstream.services.map((service) => (
        // With a filter everything that is found is open; each may still be closed.
        <ServiceRoutes key={`${service.name} ${open}`} service={service} open={open} />
      ))}
    </section>
  );
}

function ServiceRoutes({ service, open }: { service: Service; open: boolean }) {
  return (
    <details className="routes-service" open={open}>
      <summary>
        <code>{service.name}</code>
        <small>{service.methods.length}</small>
      </summary>
      <div className="routes-scroll">
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Method</th>
              <th scope="col">How it is reached</th>
              <th scope="col">For</th>
              <th scope="col">
                <span className="hidden-text">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {service.methods.map((method) => (
              <MethodRow key={method.path} method={method} />
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function MethodRow({ method }: { method: Method }) {
  return (
    <tr>
      <td>
        <strong>{method.name}</strong>
        <small>{method.kind}</small>
      </td>
      <td>
        {method.rest.map((route) => (
          <code key={route} className="routes-path">
            {route}
          </code>
        ))}
        <small>
          gRPC, gRPC-web, Connect, WebSocket{method.tool && ", MCP"}: <code>{method.path}</code>
        </small>
      </td>
      <td>{method.access === "public" ? "anybody" : method.access}</td>
      <td className="actions">
        {method.docs && (
          <a className="button button-small" href={method.docs} aria-label={`Try it: ${method.name}`}>
            Try it
          </a>
        )}
      </td>
    </tr>
  );
}

async function listAll(): Promise<Pick<ListRoutesResponse, "routes" | "problems">> {
  const routes: Route[] = [];
  let pageToken = "";
  let problems: UpstreamProblem[] = [];
  do {
    const page = await gateway.listRoutes({ parent: "projects/mesh", pageToken });
    routes.push(...page.routes);
    problems = page.problems;
    pageToken = page.nextPageToken;
  } while (pageToken);
  return { routes, problems };
}
