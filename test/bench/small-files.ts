import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { against, timed, type Row } from "./measure.ts";
import { startWebDav } from "./peers.ts";
import { type Bench, fromHosted, hosted, randomFiles, runTask } from "./rig.ts";

const FILES = 5_000;
const SIZE = 4 * 1024;

/** 5,000 files of 4 KiB to another instance; the peer sends as many to WebDAV, which has no way to take many at once. */
export async function smallFiles(bench: Bench): Promise<Row[]> {
  const { product, target, times, say } = bench;
  const dav = await startWebDav();
  const [ours, peers]: [number[], number[]] = [[], []];
  for (let turn = 1; turn <= times; turn += 1) {
    const files = [...randomFiles(FILES, SIZE)];
    const name = `small-files-${turn}`;
    await hosted(bench, name, files);
    ours.push((await runTask(product, { objects: fromHosted(name), clusters: [target] })).ms);
    say(`${turn}: ours ${ours.at(-1)?.toFixed()} ms`);
    if (dav === null) continue;
    const folder = toDisk(files);
    peers.push(await timed(() => dav.copy(folder, name)));
    dav.forget(name);
    rmSync(folder, { recursive: true });
    say(`${turn}: rclone ${peers.at(-1)?.toFixed()} ms`);
  }
  await dav?.stop();
  return [against("5,000 files of 4 KiB to another instance", ours, { name: "rclone to WebDAV", times: peers }, 0.25)];
}

function toDisk(files: { path: string; content: Buffer }[]): string {
  const folder = mkdtempSync(join(tmpdir(), "small-files-"));
  for (const { path, content } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}
