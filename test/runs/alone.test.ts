import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { AloneMessage } from "../../activities/alone/messages.ts";
import { type Instance, startInstance } from "../rigs/runs/instance.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { FOREIGN_TOKEN, makeToken } from "../rigs/runs/remote-worker.ts";
import { createCleanup } from "../rigs/runs/run-fixture.ts";
import { type FaultProxy, startProxy } from "../rigs/servers/proxy.ts";

const cleanup = createCleanup();
let instance: Instance;
let proxy: FaultProxy;
let child: ChildProcess | undefined;
beforeAll(async () => {
  instance = await cleanup.keep(startInstance(), (one) => one.remove());
  proxy = await cleanup.keep(startProxy(instance.url), (one) => one.stop());
});
afterAll(cleanup.all);
afterEach(() => void child?.kill("SIGKILL"));

/** Starts the process for a batch of a run that does not exist, so it has nothing to do; returns its messages. */
function startAlone(token: string): AloneMessage[] {
  const messages: AloneMessage[] = [];
  child = fork(join(ROOT, "dist/activities/alone/start.js"), ["no-run", "1", ""], {
    env: { ...process.env, API_URL: proxy.url, WORKER_TOKEN: token },
  });
  child.on("message", (message: AloneMessage) => void messages.push(message));
  return messages;
}

test("the process for one batch waits for a control plane that is away, and says that it is alive", async () => {
  proxy.fault = () => ({ kind: "answer", status: 503 });
  const messages = startAlone(await makeToken(instance));
  await expect.poll(() => messages.length).toBeGreaterThan(3);
  expect(messages.every(({ type }) => type === "alive")).toBe(true);
  proxy.fault = () => null;
  await expect
    .poll(() => messages.at(-1))
    .toEqual({ type: "done", result: { total: 0, again: 0, failed: 0 } });
});

test("the process for one batch says that its worker is refused when the control plane does not know it", async () => {
  proxy.fault = () => null;
  const messages = startAlone(FOREIGN_TOKEN);
  await expect
    .poll(() => messages.at(-1))
    .toMatchObject({
      type: "refused",
      reason: expect.stringMatching(/refuses this worker/),
    });
});
