import { fork, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../config.ts";
import { createSupervisor, keep } from "../../supervisor.ts";

const PROGRAM = `
  const [, , life] = process.argv;
  if (life === "failed") process.send({ type: "failed", reason: "the disk is full" });
  else process.send({ type: "ready" }, () => life === "short" && process.exit(1));
  setInterval(() => undefined, 1_000);
`;

/** Keeps a process that has these lives, one after the other; Node throws where it is to start an impossible one. */
function keptWith(...lives: ("failed" | "short" | "long" | "impossible")[]) {
  const folder = mkdtempSync(join(tmpdir(), "kept-"));
  const program = join(folder, "program.cjs");
  writeFileSync(program, PROGRAM);
  const stopping = new AbortController();
  const said: string[] = [];
  const failures: string[] = [];
  const supervisor = createSupervisor({
    config: loadConfig({ DATA_DIR: folder }),
    log: pino({}, { write: (line) => void said.push(line) }),
    instance: { id: "", secretKey: "", adminPassword: "", adminPasswordFile: undefined },
    ledger: { note: () => {}, clear: () => {} },
    endpoints: { write: () => {}, remove: () => {} },
    stopping: stopping.signal,
    fail: (reason) => void failures.push(reason),
  });
  const one = keep(supervisor, "worker", () => {
    const life = lives.shift() ?? "long";
    const child =
      life === "impossible" ? spawn(join(program, "no-folder")) : fork(program, [life]);
    const ready = new Promise<void>((resolve) => {
      child.on("message", ({ type }: { type: string }) => {
        if (type === "ready") resolve();
      });
    });
    return { child, ready };
  });
  onTestFinished(async () => {
    stopping.abort();
    await one.end("SIGKILL");
  });
  return { one, failures, said };
}

test("a process that cannot start at first ends everything with its reason", async () => {
  const { failures } = keptWith("failed");
  await expect.poll(() => failures).toEqual(["the disk is full"]);
});

test("a process that cannot start again, but was up before, is tried again", async () => {
  const { one, failures, said } = keptWith("short", "failed", "long");
  await expect.poll(() => said.join("")).toContain("the disk is full");
  await expect.poll(() => one.isUp()).toBe(true);
  expect(failures).toEqual([]);
});

test("a process that the system does not start is tried again, whether Node throws that or reports it", async () => {
  const { one, failures, said } = keptWith("short", "impossible", "long");
  await expect.poll(() => said.join("")).toContain("ENOTDIR");
  await expect.poll(() => one.isUp()).toBe(true);
  expect(failures).toEqual([]);
});
