import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { request } from "undici";
import { authorizationOf } from "../rigs/runs/instance.ts";
import { startRegistry } from "../rigs/servers/registries.ts";
import { pushBigImage } from "./images.ts";
import { memory, type Row } from "./measure.ts";
import { type Bench, fromHosted, linked, registry, runTask, watchMemory } from "./rig.ts";

const GIB = 1024 ** 3;
const MOST_WORKER = 250;

/**
 * Measures the memory of each process while one blob of 1 GiB is sent: as a layer between registries, and as a file to
 * another instance.
 */
export async function bigBlob(bench: Bench): Promise<Row[]> {
  return [...(await asLayer(bench)), ...(await asFile(bench))];
}

async function asLayer(bench: Bench): Promise<Row[]> {
  const { product, say } = bench;
  const [source, target] = [
    await startRegistry("docker-registry"),
    await startRegistry("docker-registry"),
  ];
  if (!source.available) return [];
  await pushBigImage(source.url, "library/one", 1, GIB);
  const objects = await linked(product, "big-blob", source.url);
  const cluster = await registry(product, target.url);
  const watched = watchMemory(bench);
  const { ms } = await runTask(product, { objects, clusters: [cluster] });
  say(`a layer of 1 GiB took ${Math.round(ms)} ms`);
  await source.stop();
  await target.stop();
  return rows("a layer of 1 GiB", watched.peaks());
}

async function asFile(bench: Bench): Promise<Row[]> {
  const { first, product, target, say } = bench;
  await product.hosted("bench", "big-file");
  const headers = {
    authorization: authorizationOf(first),
    "content-length": String(GIB),
  };
  const uploading = watchMemory(bench);
  const answer = await request(`${first.url}/generic/bench/big-file/one.bin`, {
    method: "PUT",
    headers,
    body: Readable.from(gibibyte()),
  });
  if (answer.statusCode !== 200)
    throw new Error(
      `the upload was answered ${answer.statusCode}: ${await answer.body.text()}`,
    );
  await answer.body.dump();
  const { control = null } = uploading.peaks();
  const watched = watchMemory(bench);
  const { ms } = await runTask(product, {
    objects: fromHosted("big-file"),
    clusters: [target],
  });
  say(`a file of 1 GiB took ${Math.round(ms)} ms`);
  return [
    memory("upload of a file of 1 GiB", { control }, 300),
    ...rows("a file of 1 GiB to another instance", watched.peaks()),
  ];
}

function* gibibyte(): Generator<Buffer> {
  for (let sent = 0; sent < GIB; sent += 2 ** 20) yield randomBytes(2 ** 20);
}

function rows(
  work: string,
  { worker = null, temporal: _temporal, ...others }: Record<string, number | null>,
): Row[] {
  return [
    memory(`${work}: transfer worker`, { worker }, MOST_WORKER),
    memory(`${work}: the others`, others, 300),
  ];
}
