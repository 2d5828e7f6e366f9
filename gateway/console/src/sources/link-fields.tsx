// Which properties of pages become nodes of their own.
import { Icon } from "../ui/icon";
import { AUTHORS, type Link, linkInWords, MAX_LINKS } from "./settings";

export function LinkFields({ links, onChange }: { links: Link[]; onChange: (links: Link[]) => void }) {
  const change = (at: number, part: Partial<Link>) =>
    onChange(links.map((link, i) => (i === at ? { ...link, ...part } : link)));
  const offered = !links.some((link) => link.property === AUTHORS.property);
  return (
    <fieldset className="links">
      <legend>
        Properties that become nodes <small>of Markdown and Logseq pages</small>
      </legend>
      {links.length > 0 && (
        <div className="link-row link-head" aria-hidden="true">
          <small>Property</small>
          <small>Type of the nodes</small>
          <small>Type of the edges</small>
        </div>
      )}
      {links.map((link, i) => (
        <div className="link-row" key={i}>
          <input
            aria-label="Property"
            placeholder="author"
            maxLength={128}
            spellCheck={false}
            value={link.property}
            onChange={(event) => change(i, { property: event.target.value })}
          />
          <input
            aria-label="Type of the nodes"
            placeholder={link.property || "creator"}
            maxLength={128}
            spellCheck={false}
            value={link.nodeType}
            onChange={(event) => change(i, { nodeType: event.target.value })}
          />
          <input
            aria-label="Type of the edges"
            placeholder={link.property || "author"}
            maxLength={128}
            spellCheck={false}
            value={link.edgeType}
            onChange={(event) => change(i, { edgeType: event.target.value })}
          />
          <button
            type="button"
            className="icon-button"
            aria-label={`Remove the link of ${link.property || "no property"}`}
            onClick={() => onChange(links.filter((_, at) => at !== i))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      {links.length < MAX_LINKS && (
        <div className="link-add">
          {offered && (
            <button
              type="button"
              className="button button-small"
              onClick={() => onChange([...links, AUTHORS])}
            >
              <Icon name="plus" size={14} /> {linkInWords(AUTHORS)}
            </button>
          )}
          <button
            type="button"
            className="button button-small"
            onClick={() => onChange([...links, { property: "", nodeType: "", edgeType: "" }])}
          >
            <Icon name="plus" size={14} /> {offered ? "another" : "Add one"}
          </button>
        </div>
      )}
    </fieldset>
  );
}
