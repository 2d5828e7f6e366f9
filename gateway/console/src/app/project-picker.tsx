import { useState } from "react";
import { session } from "../auth/session";
import { isId } from "../ui/format";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/menu";
import { holdsEverywhere, projectsOf } from "./project";
import { useStore } from "./store";

export function ProjectPicker({ project, onPick }: { project: string; onPick: (project: string) => void }) {
  const { principal } = useStore(session.store);
  const [other, setOther] = useState("");
  const everywhere = holdsEverywhere(principal);
  const valid = isId(other);
  return (
    <Popover
      label={`Project: ${project}`}
      buttonClass="project-button"
      button={
        <>
          <span>{project}</span>
          <Icon name="down" size={14} />
        </>
      }
    >
      {(close) => (
        <div className="menu">
          <p className="menu-title">Project</p>
          {projectsOf(principal).map((one) => (
            <button
              key={one}
              type="button"
              className="menu-item"
              aria-pressed={one === project}
              onClick={() => {
                onPick(one);
                close();
              }}
            >
              <span>{one}</span>
              {one === project && <Icon name="check" />}
            </button>
          ))}
          {everywhere && (
            <form
              className="menu-form"
              onSubmit={(event) => {
                event.preventDefault();
                if (!valid) return;
                onPick(other);
                close();
              }}
            >
              <input
                aria-label="Another project"
                placeholder="another project"
                value={other}
                onChange={(event) => setOther(event.target.value)}
              />
              <button type="submit" className="button button-small" disabled={!valid}>
                Open
              </button>
            </form>
          )}
        </div>
      )}
    </Popover>
  );
}
