import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `--mode demo` swaps the mesh for one that lives in the page, to work on the
// console without a server. The production build never sees that folder.
export default defineConfig(({ mode }) => ({
  plugins: [react()],
  resolve: {
    alias:
      mode === "demo"
        ? [{ find: /^\.\/mesh$/, replacement: fileURLToPath(new URL("./demo/mesh.ts", import.meta.url)) }]
        : [],
  },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  server: {
    // A mesh that was started by hand, for `npm run dev`.
    proxy: Object.fromEntries(
      ["^/weft\\.", "/v1", "/ws", "/hooks"].map((path) => [
        path,
        { target: process.env.WEFT_URL ?? "http://127.0.0.1:8080", ws: path === "/ws" },
      ]),
    ),
  },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
}));
