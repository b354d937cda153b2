import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { AloneMessage } from "../../activities/alone/messages.ts";
import { type Instance, startInstance } from "../rigs/runs/instance.ts";
import { ROOT } from "../rigs/runs/program.ts";
import { secretKeyOf } from "../rigs/runs/remote-worker.ts";
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
function startAlone(secretKey: string): AloneMessage[] {
  const messages: AloneMessage[] = [];
  child = fork(join(ROOT, "dist/activities/alone/start.js"), ["no-run", "1", ""], {
    env: { ...process.env, API_URL: proxy.url, SECRET_KEY: secretKey },
  });
  child.on("message", (message: AloneMessage) => void messages.push(message));
  return messages;
}

test("the process for one batch waits for a control plane that is away, and says that it is alive", async () => {
  proxy.fault = () => ({ kind: "answer", status: 503 });
  const messages = startAlone(secretKeyOf(instance));
  await expect.poll(() => messages.length).toBeGreaterThan(3);
  expect(messages.every(({ type }) => type === "alive")).toBe(true);
  proxy.fault = () => null;
  await expect
    .poll(() => messages.at(-1))
    .toEqual({ type: "done", result: { total: 0, again: 0, failed: 0 } });
});

test("the process for one batch says that its worker is refused when the control plane has another key", async () => {
  proxy.fault = () => null;
  const messages = startAlone("0123456789abcdef0123456789abcdef");
  await expect
    .poll(() => messages.at(-1))
    .toMatchObject({
      type: "refused",
      reason: expect.stringMatching(/refuses this worker/),
    });
});
