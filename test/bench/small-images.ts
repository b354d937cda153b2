import { fillRegistry } from "./images.ts";
import { against, timed, type Row } from "./measure.ts";
import { skopeoSync } from "./peers.ts";
import { type Bench, linked, registry, runAgain, runTask } from "./rig.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

const IMAGES = 200;

/** Measures a run of 200 small images of one repository to an empty registry, and again with nothing to do. */
export async function smallImages({ product, times, say }: Bench): Promise<Row[]> {
  const source = await startRegistry("docker-registry");
  if (!source.available) return [];
  await fillRegistry(source.url, "library/app", IMAGES);
  const objects = await linked(product, "small-images", source.url);
  const sync = await skopeoSync();
  const [ours, peers] = [
    { cold: [] as number[], warm: [] as number[] },
    { cold: [] as number[], warm: [] as number[] },
  ];
  for (let turn = 1; turn <= times; turn += 1) {
    const here = await startRegistry("docker-registry");
    const first = await runTask(product, {
      objects,
      clusters: [await registry(product, here.url)],
    });
    const again = await runAgain(product, first.key);
    await here.stop();
    ours.cold.push(first.ms);
    ours.warm.push(again.ms);
    say(`${turn}: ours ${Math.round(first.ms)} ms, again ${Math.round(again.ms)} ms`);
    if (sync === null) continue;
    const there = await startRegistry("docker-registry");
    peers.cold.push(await timed(() => sync(source, there, "library/app")));
    peers.warm.push(await timed(() => sync(source, there, "library/app")));
    await there.stop();
    say(
      `${turn}: skopeo ${peers.cold.at(-1)?.toFixed()} ms, again ${peers.warm.at(-1)?.toFixed()} ms`,
    );
  }
  await source.stop();
  return [
    against(
      `${IMAGES} small images, cold`,
      ours.cold,
      { name: "skopeo sync", times: peers.cold },
      0.4,
    ),
    against(
      "the same again, nothing to do",
      ours.warm,
      { name: "skopeo sync", times: peers.warm },
      0.6,
    ),
  ];
}
