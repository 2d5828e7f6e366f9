// A file onto the person's disk, through the browser's own download.

/** How long the browser has to read it. */
const KEPT_MS = 60_000;

export function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
