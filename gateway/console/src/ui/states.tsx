// What stands where content will be, is not, or cannot be.
import type { ReactNode } from "react";
import { describe } from "../rpc/errors";
import { Icon, type IconName } from "./icon";

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  /** 1 where nothing else on the page is its heading. */
  level?: 1 | 2;
}

export function Empty({ icon, title, children, level = 2 }: EmptyProps) {
  const Heading = `h${level}` as const;
  return (
    <div className="empty">
      <span className="empty-icon">
        <Icon name={icon} size={26} />
      </span>
      <Heading>{title}</Heading>
      {children}
    </div>
  );
}

export function Failure({ title, error, onRetry }: { title: string; error: unknown; onRetry?: () => void }) {
  return (
    <div className="empty" role="alert">
      <span className="empty-icon empty-icon-bad">
        <Icon name="alert" size={26} />
      </span>
      <h2>{title}</h2>
      <p>{describe(error)}</p>
      {onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          <Icon name="refresh" /> Try again
        </button>
      )}
    </div>
  );
}

export function Skeleton({ width }: { width: string }) {
  return <span className="skeleton" style={{ width }} />;
}

export function Spinner({ label }: { label: string }) {
  return <span className="spinner" role="img" aria-label={label} />;
}
