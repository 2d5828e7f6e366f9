// What a picture of the view is to be: pixels or shapes, how fine, on which ground.
import { useState } from "react";
import type { LiveGraph } from "../graph/live";
import { describe } from "../rpc/errors";
import { count } from "../ui/format";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icon";
import { save } from "../ui/save";
import { fileName, sizeOf, takePng, takeSvg } from "./take";

const SIZES = [
  [1, "As on the screen"],
  [2, "Twice as fine"],
  [4, "Four times as fine"],
] as const;

type Format = "png" | "svg";

export default function SnapshotDialog({ live, onClose }: { live: LiveGraph; onClose: () => void }) {
  const [format, setFormat] = useState<Format>("png");
  const [times, setTimes] = useState<number>(1);
  const [transparent, setTransparent] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const renderer = live.scene?.renderer;
  if (!renderer) return null;
  const sizes = SIZES.map(([scale, words]) => ({
    scale,
    words,
    ...sizeOf(renderer.camera, scale * renderer.ratio, renderer.largestSide),
  }));

  const take = async () => {
    setBusy(true);
    setFailure("");
    // The button says what is happening before the page is busy with it.
    await new Promise((resolve) => setTimeout(resolve, 30));
    try {
      const shown = live.scene?.shown();
      if (!shown) throw new Error("There is nothing on the map yet.");
      const title = live.state.get().graph?.displayName || live.id;
      const picture =
        format === "svg"
          ? takeSvg(shown, title, transparent)
          : await takePng(shown, times * renderer.ratio, transparent);
      save(picture, fileName(live.id, new Date(), format));
      onClose();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : describe(error));
      setBusy(false);
    }
  };

  return (
    <Dialog title="Save a picture" onClose={onClose} className="snapshot">
      <form
        className="form"
        onSubmit={(event) => {
          event.preventDefault();
          void take();
        }}
      >
        <Choice
          legend="Format"
          name="format"
          value={format}
          options={[
            { value: "png", words: "PNG", hint: "pixels: for slides and messages" },
            { value: "svg", words: "SVG", hint: "shapes and text: to print, and to work on" },
          ]}
          onChange={setFormat}
        />
        {format === "png" && (
          <Choice
            legend="Size"
            name="size"
            value={String(times)}
            options={sizes.map(({ scale, words, width, height, fits }) => ({
              value: String(scale),
              words,
              hint: fits ? `${count(width)} × ${count(height)}` : "more than this browser can draw",
              disabled: !fits,
            }))}
            onChange={(value) => setTimes(Number(value))}
          />
        )}
        <Choice
          legend="Background"
          name="background"
          value={transparent ? "none" : "theme"}
          options={[
            { value: "theme", words: "As on the screen" },
            { value: "none", words: "Transparent" },
          ]}
          onChange={(value) => setTransparent(value === "none")}
        />
        {failure && (
          <p className="note note-warn" role="alert">
            <Icon name="alert" /> {failure}
          </p>
        )}
        <div className="dialog-foot">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button-primary" disabled={busy}>
            <Icon name="download" /> {busy ? "Drawing…" : `Save ${format.toUpperCase()}`}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  name: string;
  value: T;
  options: readonly { value: T; words: string; hint?: string; disabled?: boolean }[];
  onChange: (value: T) => void;
}

function Choice<T extends string>({ legend, name, value, options, onChange }: ChoiceProps<T>) {
  return (
    <fieldset className="choice">
      <legend>{legend}</legend>
      {options.map((option) => (
        <label key={option.value} className="check" data-disabled={option.disabled}>
          <input
            type="radio"
            name={name}
            checked={value === option.value}
            disabled={option.disabled}
            onChange={() => onChange(option.value)}
          />
          <span>{option.words}</span>
          {option.hint && <small>{option.hint}</small>}
        </label>
      ))}
    </fieldset>
  );
}
