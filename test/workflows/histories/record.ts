import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@temporalio/client";
import { clientConnection } from "../../../temporal/connect.ts";
import { createCleanup } from "../../rigs/runs/run-fixture.ts";
import { startFileRig, startImageRig } from "../../rigs/runs/run-rig.ts";
import { RELEASE } from "./releases.ts";
import { createFolder } from "./save.ts";
import { createFileScenes } from "./scenes-files.ts";
import { createImageScenes, type Scenes } from "./scenes-images.ts";
import { createUploadScenes } from "./scenes-uploads.ts";
import { startImpatientServer } from "./server.ts";

/**
 * `node --import tsx test/workflows/histories/record.ts [--again] [--only=<name>,…]`: runs every shape of every
 * workflow, and saves the histories that replay.test.ts replays. Run it when workflows were changed on purpose.
 */

const SUGGESTS_ANEW_AFTER = 40;
const LONGEST_MS = 1_200_000;
const only = process.argv
  .find((argument) => argument.startsWith("--only="))
  ?.slice("--only=".length)
  .split(",");
const folder = createFolder(RELEASE, { again: process.argv.includes("--again") });

/** Calls `start`, and once more if it fails: on a busy machine an instance may not be ready in time. */
async function patiently<T>(start: () => Promise<T>): Promise<T> {
  return start().catch((error: unknown) => {
    console.error("once more:", error);
    return start();
  });
}

const failed: string[] = [];
const cleanup = createCleanup();
async function play(name: string, scene: () => Promise<void>): Promise<void> {
  const begun = Date.now();
  const late = new AbortController();
  const timeout = sleep(LONGEST_MS, undefined, { signal: late.signal }).then(() =>
    Promise.reject(new Error(`the scene took more than ${LONGEST_MS / 60_000} minutes`)),
  );
  await Promise.race([scene(), timeout]).then(
    () => console.log(`${name}: ${Math.round((Date.now() - begun) / 1000)} s`),
    (error: unknown) => {
      failed.push(name);
      console.error(`${name}:`, error);
    },
  );
  late.abort();
  await timeout.catch(() => undefined);
}

const isWanted = (name: string) => only === undefined || only.includes(name);

async function record(address: string): Promise<void> {
  const options = { temporalAddress: address, env: { RETRY_WINDOW: "60s" } };
  const images = await cleanup.keep(
    patiently(() => startImageRig(options)),
    (one) => one.end(),
  );
  const files = await cleanup.keep(
    patiently(() => startFileRig(options)),
    (one) => one.end(),
  );
  const connection = await cleanup.keep(
    Promise.resolve(clientConnection({ temporalAddress: address })),
    (one) => one.close(),
  );
  const client = new Client({ connection });
  const stage = {
    images,
    files,
    client,
    address,
    save: (name: string, workflowId: string, runId?: string) =>
      folder.save(name, client, address, workflowId, runId),
  };
  const uploads = createUploadScenes(stage);
  const scenes: Scenes = {
    ...createImageScenes(stage),
    ...createFileScenes(stage),
    ...uploads.scenes,
  };
  // The scene real-time-quiet waits for ten minutes without uploads. The other scenes run meanwhile.
  const silence = isWanted("real-time-quiet") ? await uploads.beginSilence() : null;
  const quiet = silence && play("real-time-quiet", silence);
  for (const [name, scene] of Object.entries(scenes)) {
    if (!isWanted(name)) continue;
    images.source.proxy.fault =
      images.target.proxy.fault =
      files.proxy.fault =
        () => null;
    await play(name, scene);
  }
  await quiet;
}

const server = await startImpatientServer(SUGGESTS_ANEW_AFTER);
await record(server.address).finally(async () => {
  await cleanup.all();
  await server.stop();
});
if (failed.length > 0)
  console.error(
    `not recorded: ${failed.join(", ")}; record them with --again --only=${failed.join(",")}`,
  );
process.exitCode = failed.length > 0 ? 1 : 0;
