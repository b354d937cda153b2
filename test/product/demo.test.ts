import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { ROOT } from "../rigs/runs/program.ts";

test("without a terminal the demo says that it ends by itself, shows progress, counts in words, and ends", async () => {
  const env = Object.fromEntries(
    ["PATH", "HOME", "TMPDIR", "CACHE_DIR", "TEMPORAL_CLI_PATH"].flatMap((name) =>
      process.env[name] ? [[name, process.env[name]]] : [],
    ),
  );
  const child = spawn("npm", ["run", "--silent", "demo"], {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  expect(output.split("\n")[0]).toContain("It ends by itself and deletes what it made");
  expect(output).toMatch(/Starting Temporal and the first instance … \.+/);
  expect(output).toMatch(
    /SUCCESS: 1,500 files planned, 1,500 sent \(.* MiB\), none there/,
  );
  expect(output).toMatch(/SUCCESS: 1,500 files planned, none sent, 1,500 there already/);
  expect([output.includes("Ctrl-C"), code]).toEqual([false, 0]);
});
