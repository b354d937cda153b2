import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { Agent, type Dispatcher, request } from "undici";
import { authorizationOf } from "../rigs/runs/instance.ts";
import { each } from "../rigs/runs/run-sources.ts";
import { makeImage, type TestManifest } from "../rigs/servers/images.ts";
import { startRegistry } from "../rigs/servers/registries.ts";
import { against, type Row, timed } from "./measure.ts";
import type { Bench } from "./rig.ts";

const IMAGES = 500;
const LAYER = 16 * 1024;
const AT_ONCE = 16;
const GIB = 1024 ** 3;
const CHUNK = randomBytes(2 ** 20);
const MOST = 1.2;

/** Compares our own registry with docker-registry: one client pushes and pulls the same images at both, in turns. */
export async function hostedImages({
  first,
  product,
  times,
  say,
}: Bench): Promise<Row[]> {
  const peer = await startRegistry("docker-registry");
  await product.hosted("bench", "images", "OCI");
  const login = authorizationOf(first);
  const ends = [
    { name: "ours", client: createClient(`${first.url}/v2/bench/images`, login) },
  ];
  if (peer.available)
    ends.push({ name: "docker-registry", client: createClient(`${peer.url}/v2`, null) });
  const all: Record<string, Record<string, number[]>> = {};
  for (let turn = 1; turn <= times; turn += 1) {
    const layer = gibibyte(turn);
    const images = Array.from({ length: IMAGES }, () =>
      makeImage({ layers: [LAYER, LAYER] }),
    );
    for (const { name, client } of ends) {
      const taken = {
        "push of a layer of 1 GiB": await timed(() =>
          client.pushLayer(`big-${turn}`, layer),
        ),
        "pull of a layer of 1 GiB": await timed(() =>
          client.pullLayer(`big-${turn}`, layer.digest),
        ),
        "push of 500 small images": await timed(() =>
          each([...images.entries()], AT_ONCE, ([at, image]) =>
            client.pushImage(`small-${turn}`, `v${at}`, image),
          ),
        ),
        "pull of 500 small images": await timed(() =>
          each([...images.entries()], AT_ONCE, ([at, image]) =>
            client.pullImage(`small-${turn}`, `v${at}`, image),
          ),
        ),
      };
      for (const [work, ms] of Object.entries(taken))
        ((all[work] ??= {})[name] ??= []).push(ms);
      say(
        `${turn}: ${name} ${Object.values(taken)
          .map((ms) => Math.round(ms))
          .join(", ")} ms`,
      );
    }
  }
  for (const { client } of ends) await client.close();
  if (peer.available) await peer.stop();
  return Object.entries(all).map(
    ([work, { ours = [], "docker-registry": theirs = [] }]) =>
      against(work, ours, { name: "docker-registry", times: theirs }, MOST),
  );
}

type Layer = { digest: string; chunks: Buffer[] };

/** Builds a layer of 1 GiB with different content for each turn, so that no registry has it already. */
function gibibyte(turn: number): Layer {
  const head = Buffer.from(CHUNK);
  head.writeUInt32BE(turn);
  const chunks = [head, ...Array.from({ length: GIB / CHUNK.length - 1 }, () => CHUNK)];
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return { digest: `sha256:${hash.digest("hex")}`, chunks };
}

/** Creates a client that pushes and pulls as usual: POST and PUT for each blob, then the manifest. */
function createClient(base: string, authorization: string | null) {
  const dispatcher = new Agent({
    connections: AT_ONCE,
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  const login = authorization === null ? {} : { authorization };

  async function ask(
    method: "GET" | "POST" | "PUT",
    url: string,
    headers: Record<string, string> = {},
    body?: Buffer | Readable,
  ): Promise<Dispatcher.ResponseData> {
    const answer = await request(url, {
      method,
      headers: { ...login, ...headers },
      dispatcher,
      ...(body === undefined ? {} : { body }),
    });
    if (answer.statusCode >= 300)
      throw new Error(
        `${method} ${url} was answered ${answer.statusCode}: ${await answer.body.text()}`,
      );
    return answer;
  }

  async function putBlob(
    image: string,
    digest: string,
    length: number,
    body: Buffer | Readable,
  ): Promise<void> {
    const begun = await ask("POST", `${base}/${image}/blobs/uploads/`);
    await begun.body.dump();
    const location = new URL(String(begun.headers["location"]), base);
    location.searchParams.set("digest", digest);
    const put = await ask(
      "PUT",
      location.href,
      { "content-type": "application/octet-stream", "content-length": String(length) },
      body,
    );
    await put.body.dump();
  }

  async function read(url: string, headers: Record<string, string> = {}): Promise<void> {
    const { body } = await ask("GET", url, headers);
    for await (const _ of body);
  }

  return {
    pushLayer: (image: string, { digest, chunks }: Layer) =>
      putBlob(image, digest, GIB, Readable.from(chunks)),
    pullLayer: (image: string, digest: string) =>
      read(`${base}/${image}/blobs/${digest}`),
    async pushImage(
      image: string,
      tag: string,
      { blobs, bytes, mediaType }: TestManifest,
    ) {
      for (const blob of blobs)
        await putBlob(image, blob.digest, blob.bytes.length, blob.bytes);
      const put = await ask(
        "PUT",
        `${base}/${image}/manifests/${tag}`,
        { "content-type": mediaType },
        bytes,
      );
      await put.body.dump();
    },
    async pullImage(image: string, tag: string, { blobs, mediaType }: TestManifest) {
      await read(`${base}/${image}/manifests/${tag}`, { accept: mediaType });
      for (const { digest } of blobs) await read(`${base}/${image}/blobs/${digest}`);
    },
    close: () => dispatcher.close(),
  };
}
