// The filters that somebody keeps, and a place to keep the one at hand.
import { useState } from "react";
import { useStore } from "../app/store";
import { Icon } from "../ui/icon";
import { Popover } from "../ui/menu";
import { type SavedFilter, savedFilters } from "./saved";

type Filter = Omit<SavedFilter, "name">;

export function SavedMenu({ filter, onPick }: { filter: Filter; onPick: (filter: Filter) => void }) {
  const saved = useStore(savedFilters.store);
  const [name, setName] = useState("");
  const isSomething = Boolean(filter.state || filter.workflow || filter.q);
  return (
    <Popover
      label="Saved filters"
      button={
        <>
          <Icon name="star" /> Saved <Icon name="down" size={14} />
        </>
      }
    >
      {(close) => (
        <div className="menu saved-menu">
          <p className="menu-title">Saved filters</p>
          {saved.length === 0 && <p className="hint menu-hint">None yet. They stay in this browser.</p>}
          {saved.map((one) => (
            <div key={one.name} className="saved-one">
              <button
                type="button"
                className="menu-item"
                onClick={() => {
                  onPick({ state: one.state, workflow: one.workflow, q: one.q });
                  close();
                }}
              >
                {one.name}
              </button>
              <button
                type="button"
                className="icon-button"
                aria-label={`Forget ${one.name}`}
                onClick={() => savedFilters.remove(one.name)}
              >
                <Icon name="close" />
              </button>
            </div>
          ))}
          {isSomething && (
            <form
              className="menu-form"
              onSubmit={(event) => {
                event.preventDefault();
                savedFilters.save({ name: name.trim(), ...filter });
                setName("");
                close();
              }}
            >
              <input
                aria-label="Name of the filter"
                placeholder="a name for this one"
                maxLength={60}
                value={name}
                onChange={(event) => setName(event.target.value)}
              />
              <button type="submit" className="button button-small" disabled={name.trim() === ""}>
                Save
              </button>
            </form>
          )}
        </div>
      )}
    </Popover>
  );
}
