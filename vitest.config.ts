import { defineConfig } from "vitest/config";
import { closingLine } from "./test/closing-line.ts";
import { LongestFirst } from "./test/sequencer.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/setup.ts"],
    reporters: ["default", closingLine],
    pool: "forks",
    sequence: { sequencer: LongestFirst },
    // More than cores: tests wait more than they work.
    maxWorkers: 4,
    testTimeout: 240_000,
    // Servers of tests that run side by side may be given a port that another's has just let go.
    retry: process.env["CI"] ? 1 : 0,
    hookTimeout: 120_000,
  },
});
