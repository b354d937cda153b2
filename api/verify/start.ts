import { existsSync } from "node:fs";
import { join } from "node:path";
import { layout } from "../../activities/store/layout.ts";
import { createStore } from "../../activities/store/store.ts";
import { loadConfig } from "../../config.ts";
import { openInlineBlobs } from "../../db/content/inline-blobs.ts";
import { countBlobs } from "../../db/content/scrub.ts";
import { lockDataDir } from "../../db/lock.ts";
import { openAsIs, openDb } from "../../db/open.ts";
import { StartError } from "../../domain/start-error.ts";
import { condemn } from "../content/damage.ts";
import { type Finding, verifyStore } from "./verify.ts";
import { elapsed } from "../../domain/elapsed.ts";

/**
 * `npm run store:verify`: reads all contents of DATA_DIR and lists those that are missing, wrong or orphaned.
 * Exit code 0: none is missing or wrong; 1: some are; 2: it could not be done. Options: `--quarantine`.
 */

const PROGRESS_MS = 5_000;
const QUARANTINE = "--quarantine";
const MIB = 1024 ** 2;

const say = (line: string) => void process.stdout.write(`${line}\n`);

function show({ kind, sha256, files, count }: Finding): void {
  const more = count > files.length ? `, … (${count} files)` : "";
  say(`${kind} sha256:${sha256} ${files.join(", ")}${more}`.trimEnd());
}

/** Says every few seconds how far the reading is. */
function createProgress(total: number) {
  let [contents, bytes, said] = [0, 0, elapsed()];
  const line = () =>
    `${contents} of ${total} contents read, ${Math.round(bytes / MIB)} MiB`;
  function tell(): void {
    if (elapsed() - said < PROGRESS_MS) return;
    said = elapsed();
    process.stderr.write(`${line()}\n`);
  }
  return {
    line,
    reading: tell,
    passed(size: number): void {
      contents += 1;
      bytes += size;
    },
  };
}

async function verify(): Promise<number> {
  const others = process.argv.slice(2).filter((option) => option !== QUARANTINE);
  if (others.length > 0)
    throw new StartError(
      `${others.join(" ")} is unknown; the only option is ${QUARANTINE}`,
    );
  const { dataDir } = loadConfig(process.env);
  process.umask(0o077);
  const file = join(dataDir, "replication.db");
  if (!existsSync(file))
    throw new StartError(`${file} does not exist: set DATA_DIR to the data of a service`);
  const isQuarantine = process.argv.includes(QUARANTINE);
  const lock = lockDataDir(dataDir);
  const db = isQuarantine ? openDb(file) : openAsIs(file);
  const content = layout(dataDir);
  const inline = openInlineBlobs(content.inlineFile);
  const store = createStore(content, inline);
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const counts = { missing: 0, wrong: 0, orphaned: 0 };
  const progress = createProgress(countBlobs(db));
  await verifyStore({
    db,
    store,
    ...progress,
    found(finding) {
      counts[finding.kind] += 1;
      show(finding);
      if (isQuarantine && finding.seen)
        condemn({ db, store, now: Date.now, logger }, finding.seen);
    },
  });
  inline.close();
  db.$client.close();
  lock.release();
  say(
    `${progress.line()}: ${counts.missing} missing, ${counts.wrong} wrong, ${counts.orphaned} orphaned`,
  );
  return counts.missing + counts.wrong > 0 ? 1 : 0;
}

try {
  process.exitCode = await verify();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
