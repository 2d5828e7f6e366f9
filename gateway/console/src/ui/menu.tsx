// A button with a small panel under it; closes on Escape, on a click elsewhere,
// and when focus leaves.
import { type ReactNode, useEffect, useRef, useState } from "react";

interface Props {
  label: string;
  button: ReactNode;
  buttonClass?: string;
  align?: "left" | "right" | "up";
  children: (close: () => void) => ReactNode;
}

export function Popover({ label, button, buttonClass = "button", align = "left", children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const opener = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      setOpen(false);
      opener.current?.focus();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    root.current?.addEventListener("keydown", key);
    const { current } = root;
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
      current?.removeEventListener("keydown", key);
    };
  }, [open]);
  return (
    <div className="popover" ref={root}>
      <button
        ref={opener}
        type="button"
        className={buttonClass}
        aria-expanded={open}
        aria-label={label}
        title={label}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div className={`popover-panel popover-${align}`} role="group" aria-label={label}>
          {children(() => setOpen(false))}
        </div>
      )}
    </div>
  );
}
