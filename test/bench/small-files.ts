import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { against, timed, type Row } from "./measure.ts";
import { startWebDav } from "./peers.ts";
import { type Bench, fromHosted, hosted, randomFiles, runTask } from "./rig.ts";

const FILES = 5_000;
const SIZE = 4 * 1024;

const PEERS = [
  { name: "rclone to WebDAV", options: [] },
  {
    name: "rclone to WebDAV, 16 at once",
    options: ["--transfers", "16", "--checkers", "16"],
  },
];

/**
 * Measures a run of 5,000 files of 4 KiB to another instance; the peer sends as many to WebDAV, which takes one file in
 * each request, with its defaults and with 16 transfers at once.
 */
export async function smallFiles(bench: Bench): Promise<Row[]> {
  const { product, target, times, say } = bench;
  const dav = await startWebDav();
  const ours: number[] = [];
  const peers = PEERS.map((peer) => ({ ...peer, times: [] as number[] }));
  for (let turn = 1; turn <= times; turn += 1) {
    const files = [...randomFiles(FILES, SIZE)];
    const name = `small-files-${turn}`;
    await hosted(bench, name, files);
    ours.push(
      (await runTask(product, { objects: fromHosted(name), clusters: [target] })).ms,
    );
    say(`${turn}: ours ${ours.at(-1)?.toFixed()} ms`);
    if (dav === null) continue;
    const folder = toDisk(files);
    for (const { name: peer, options, times: taken } of peers) {
      taken.push(await timed(() => dav.copy(folder, name, options)));
      dav.forget(name);
      say(`${turn}: ${peer} ${taken.at(-1)?.toFixed()} ms`);
    }
    rmSync(folder, { recursive: true });
  }
  await dav?.stop();
  return peers.map((peer) =>
    against("5,000 files of 4 KiB to another instance", ours, peer, 0.25),
  );
}

function toDisk(files: { path: string; content: Buffer }[]): string {
  const folder = mkdtempSync(join(tmpdir(), "small-files-"));
  for (const { path, content } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}
