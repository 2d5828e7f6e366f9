// The frame around every page: navigation, the command button, who is signed
// in, and whether the mesh is there.
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { session } from "../auth/session";
import { loadPrincipal } from "../auth/sign-in";
import { SignInPage } from "../auth/sign-in-page";
import { Icon, type IconName } from "../ui/icon";
import { Popover } from "../ui/menu";
import { Empty, Failure, Spinner } from "../ui/states";
import { Toasts } from "../ui/toast";
import { ConnectionBanner, ConnectionDot } from "./connection";
import { Help, help } from "./help";
import { Palette, palette } from "./palette";
import { useStore, useStoreValue } from "./store";
import { theme } from "./theme";

// One row for each area of the product that exists. An area that does not exist
// yet has no row: a link that leads nowhere teaches people not to click.
const AREAS: readonly {
  to:
    | "/graphs"
    | "/workflows"
    | "/triggers"
    | "/executions"
    | "/approvals"
    | "/fleet"
    | "/commands"
    | "/telemetry"
    | "/logs"
    | "/traces"
    | "/alerts"
    | "/settings";
  label: string;
  icon: IconName;
  end?: boolean;
}[] = [
  { to: "/graphs", label: "Graphs", icon: "graph" },
  { to: "/workflows", label: "Workflows", icon: "flow" },
  { to: "/triggers", label: "Triggers", icon: "bolt" },
  { to: "/executions", label: "Runs", icon: "runs" },
  { to: "/approvals", label: "Approvals", icon: "inbox" },
  { to: "/fleet", label: "Fleet", icon: "hosts" },
  { to: "/commands", label: "Commands", icon: "terminal" },
  { to: "/telemetry", label: "Telemetry", icon: "chart" },
  { to: "/logs", label: "Logs", icon: "logs" },
  { to: "/traces", label: "Traces", icon: "trace" },
  { to: "/alerts", label: "Alerts", icon: "bell" },
  { to: "/settings", label: "Settings", icon: "settings", end: true },
];

export function Shell() {
  const token = useStoreValue(session.store, (state) => state.token);
  return (
    <>
      {token === null ? <SignInPage /> : <SignedIn />}
      <Toasts />
    </>
  );
}

function SignedIn() {
  const principal = useStoreValue(session.store, (state) => state.principal);
  const me = useQuery({
    queryKey: ["me"],
    queryFn: () => loadPrincipal().then(() => true),
    staleTime: 300_000,
  });
  const page = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        palette.toggle();
      } else if (event.key === "?" && !isTyping(event.target)) {
        help.open();
      }
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  }, []);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to content
      </a>
      <nav className="rail" aria-label="Areas">
        <Link to="/graphs" className="brand" aria-label="weft, graphs">
          <img src="/favicon.svg" alt="" width={28} height={28} />
        </Link>
        {AREAS.map((area) => (
          <Link
            key={area.to}
            to={area.to}
            className={`rail-link ${area.end ? "rail-end" : ""}`}
            data-active={page.startsWith(area.to)}
            aria-current={page.startsWith(area.to) ? "page" : undefined}
          >
            <Icon name={area.icon} size={20} />
            <span>{area.label}</span>
          </Link>
        ))}
        <ConnectionDot />
      </nav>
      <div className="shell-main">
        <ConnectionBanner />
        <main id="main" tabIndex={-1}>
          {principal ? (
            <Outlet />
          ) : me.isError ? (
            <Failure title="Cannot tell who you are" error={me.error} onRetry={() => me.refetch()} />
          ) : (
            <Loading label="Signing in" />
          )}
        </main>
      </div>
      <Palette />
      <Help />
    </div>
  );
}

/** The right end of every page's bar. */
export function ShellTools() {
  const { principal } = useStore(session.store);
  const choice = useStore(theme.store);
  const dark = choice && theme.effective() === "dark";
  const name = principal?.displayName || principal?.name || "";
  return (
    <div className="shell-tools">
      <button
        type="button"
        className="command-button"
        onClick={() => palette.toggle()}
        aria-keyshortcuts="Control+K"
      >
        <Icon name="search" />
        <span>Go to…</span>
        <kbd>Ctrl K</kbd>
      </button>
      <button
        type="button"
        className="icon-button"
        onClick={theme.toggle}
        aria-label={dark ? "Light theme" : "Dark theme"}
        title={dark ? "Light theme" : "Dark theme"}
      >
        <Icon name={dark ? "sun" : "moon"} size={18} />
      </button>
      <Popover label="Account" buttonClass="avatar" button={<Icon name="person" size={18} />} align="right">
        {() => (
          <div className="account">
            <strong>{name}</strong>
            <code>{principal?.name}</code>
            <button type="button" className="button" onClick={() => session.end()}>
              <Icon name="out" /> Sign out
            </button>
          </div>
        )}
      </Popover>
    </div>
  );
}

/** While a page is fetched that nobody has been to yet. */
export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <div className="empty">
      <Spinner label={label} />
    </div>
  );
}

/** A page that cannot be fetched, or breaks. */
export function Broken({ error }: { error: unknown }) {
  return <Failure title="This page cannot be shown" error={error} onRetry={() => location.reload()} />;
}

export function NotFound() {
  return (
    <Empty icon="map" title="There is no such page" level={1}>
      <Link to="/graphs" className="button">
        To the graphs
      </Link>
    </Empty>
  );
}

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName) ||
      !!target.closest("dialog"))
  );
}
