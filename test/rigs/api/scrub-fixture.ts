import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { layout } from "../../../activities/store/layout.ts";
import { quarantineFile } from "../../../activities/store/quarantine.ts";
import { putBlobs } from "../../../db/content/blobs.ts";
import { damageAfter } from "../../../db/content/damage.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import { createContent, NOW, random } from "./content-fixture.ts";

/** Creates a store, by default in a fresh directory, with a repository whose contents a scrub reads. */
export function createScrubbed(dataDir?: string) {
  const made = createContent(dataDir);
  const { db, store, repository } = made;
  /** Stores files, each at the path of its digest. */
  const add = (...contents: Buffer[]) =>
    store.putAll(
      contents.map((bytes) => ({ content: bytes })),
      (blobs) => {
        putBlobs(db, blobs, NOW);
        const entries = blobs.map(({ sha256: digest }) => ({
          fullPath: `/${digest}`,
          sha256: digest,
          metadata: {},
        }));
        const rules = { overwrite: true, user: "tester", now: NOW };
        putNodes(db, repository, entries, rules);
        return blobs.map(({ sha256: digest }) => digest);
      },
    );
  const damaged = () => damageAfter(db, "", 1_000).map((row) => row.sha256);
  const quarantined = (digest: string) => quarantineFile(layout(made.dataDir), digest);
  return { ...made, add, damaged, quarantined };
}

/** Returns small and large contents. */
export const contents = (count: number) =>
  Array.from({ length: count }, (_, i) => random(i % 4 === 0 ? 20_000 : 300));

const PROGRAM = fileURLToPath(new URL("scrub-process.ts", import.meta.url));

/** Starts a scrub of a data directory in a process of its own. */
export async function forkScrub(directory: string) {
  const child = fork(PROGRAM, [directory], {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  await once(child, "message");
  return {
    begin: (ms: number) => void child.send(ms),
    async advance(ms: number): Promise<void> {
      child.send(ms);
      await once(child, "message");
    },
    async kill(): Promise<void> {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}
