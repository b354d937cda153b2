import { defineConfig } from "vitest/config";
import { closingLine } from "./test/runner/closing-line.ts";
import { LongestFirst } from "./test/runner/sequencer.ts";

/** Tests that need no Temporal, no server and no compiled program. */
const UNIT = [
  "test/domain/**/*.test.ts",
  "test/db/**/*.test.ts",
  "test/house/**/*.test.ts",
];

/** Suites of other projects that judge our servers; they may have to be built first, so `npm test` leaves them out. */
const SERVERS = ["test/servers/**/*.test.ts"];

export default defineConfig({
  test: {
    reporters: ["default", closingLine],
    pool: "forks",
    sequence: { sequencer: LongestFirst },
    // More workers than cores: tests wait more than they work.
    maxWorkers: 4,
    // Generous, for slow machines: a test ends when its condition holds. Hooks may build the servers that tests need.
    testTimeout: 480_000,
    hookTimeout: 900_000,
    expect: { poll: { timeout: 120_000 } },
    // On CI a failed test runs once more: its server may have got a port that the server of another test
    // has just released.
    retry: process.env["CI"] ? 1 : 0,
    projects: [
      { extends: true, test: { name: "unit", include: UNIT } },
      { extends: true, test: { name: "servers", include: SERVERS } },
      {
        extends: true,
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          exclude: [...UNIT, ...SERVERS],
          globalSetup: ["test/runner/setup.ts"],
        },
      },
    ],
  },
});
