import { startRegistry } from "../rigs/servers/registries.ts";
import { pushBigImage } from "./images.ts";
import { against, timed, type Row } from "./measure.ts";
import { skopeoSync } from "./peers.ts";
import { type Bench, linked, registry, runTask } from "./rig.ts";

const LAYERS = 4;
const LAYER = 256 * 1024 ** 2;

/** Measures a run of one image of 4 × 256 MiB to an empty registry. */
export async function bigImage({ product, times, say }: Bench): Promise<Row[]> {
  const source = await startRegistry("docker-registry");
  if (!source.available) return [];
  await pushBigImage(source.url, "library/big", LAYERS, LAYER);
  const objects = await linked(product, "big-image", source.url);
  const sync = await skopeoSync();
  const [ours, peers]: [number[], number[]] = [[], []];
  for (let turn = 1; turn <= times; turn += 1) {
    const here = await startRegistry("docker-registry");
    ours.push(
      (await runTask(product, { objects, clusters: [await registry(product, here.url)] }))
        .ms,
    );
    await here.stop();
    say(`${turn}: ours ${ours.at(-1)?.toFixed()} ms`);
    if (sync === null) continue;
    const there = await startRegistry("docker-registry");
    peers.push(await timed(() => sync(source, there, "library/big")));
    await there.stop();
    say(`${turn}: skopeo ${peers.at(-1)?.toFixed()} ms`);
  }
  await source.stop();
  return [
    against(
      `one image of ${LAYERS} × 256 MiB`,
      ours,
      { name: "skopeo sync", times: peers },
      0.9,
    ),
  ];
}
