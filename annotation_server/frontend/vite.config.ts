import { defineConfig } from "vite";

// Flask finds the hashed names in static/dist/.vite/manifest.json, and serves them below static/dist/, wherever the site is mounted.
export default defineConfig({
  base: "./",
  publicDir: false,
  build: {
    outDir: "../static/dist",
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    rolldownOptions: {
      // htmx contains an eval that the pages' Content-Security-Policy forbids it to use.
      checks: { eval: false },
      input: ["src/site.ts", "src/reading.ts"],
    },
  },
});
