import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { percentile, within, type Row } from "./measure.ts";
import { askInfo, type Bench, fromHosted, runTask } from "./rig.ts";

const ASKED = 600;
const UPLOADER = fileURLToPath(new URL("./uploader.ts", import.meta.url));

/** Measures how long the API takes to answer other requests while another process uploads files as fast as it can. */
export async function bulkUpload({ first, product, target, say }: Bench): Promise<Row[]> {
  await product.hosted("bench", "bulk");
  const { key } = await runTask(product, {
    objects: fromHosted("bulk"),
    clusters: [target],
  });
  const uploader = fork(UPLOADER, [
    `${first.url}/generic/bench/bulk`,
    first.username,
    first.password,
  ]);
  const ended = once(uploader, "exit");
  const uploaded = { files: 0 };
  uploader.on("message", (files: number) => (uploaded.files = files));
  await once(uploader, "message");
  const all = await askInfo(product, key, (asked) => asked < ASKED);
  uploader.kill();
  await ended;
  say(
    `${uploaded.files} files were uploaded meanwhile; median ${Math.round(percentile(all, 50))} ms`,
  );
  return [
    within("info, 99th percentile, during a bulk upload", percentile(all, 99), 50, all),
  ];
}
