import { Link, Outlet } from "@tanstack/react-router";
import { ShellTools } from "../app/shell";

const PAGES = [
  { to: "/settings", label: "General", exact: true },
  { to: "/settings/api-keys", label: "API keys", exact: false },
  { to: "/settings/secrets", label: "Secrets", exact: false },
  { to: "/settings/routes", label: "Routes", exact: false },
] as const;

export function SettingsLayout() {
  return (
    <div className="page">
      <header className="bar">
        <h1>Settings</h1>
        <nav className="tabs" aria-label="Settings">
          {PAGES.map((page) => (
            <Link key={page.to} to={page.to} className="tab" activeOptions={{ exact: page.exact }}>
              {page.label}
            </Link>
          ))}
        </nav>
        <ShellTools />
      </header>
      <div className="page-body">
        <Outlet />
      </div>
    </div>
  );
}
