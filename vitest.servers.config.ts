import { defineConfig } from "vitest/config";
import { closingLine } from "./test/runner/closing-line.ts";

/** Suites of other projects that judge the servers in this one: minutes of building, so they are not in `npm test`. */
export default defineConfig({
  test: {
    include: ["test/servers/**/*.test.ts"],
    reporters: ["default", closingLine],
    pool: "forks",
    testTimeout: 480_000,
    hookTimeout: 900_000,
  },
});
