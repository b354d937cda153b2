import { randomBytes } from "node:crypto";
import { createFiller } from "../rigs/api/packages-fixture.ts";
import { npmTarball } from "../rigs/api/tarball.ts";
import { authorizationOf } from "../rigs/runs/instance.ts";
import { listImages } from "../rigs/runs/run-judge.ts";
import { sha256 } from "../rigs/runs/run-fixture.ts";
import type { Listing } from "../rigs/runs/run-sources.ts";
import { makeImage, pushImage } from "../rigs/servers/images.ts";
import { integrity } from "../rigs/servers/npm-publication.ts";
import type { LyingWay } from "./lies.ts";
import { digestsOf, listNpm } from "./listings.ts";
import { PROJECT, type World } from "./world.ts";

/** A source that changes, and a task to send it over connections on which ends lie. */
export type LiedKind = {
  name: string;
  task: string;
  ways: LyingWay[];
  /** What the source has. */
  wanted: Listing;
  found: () => Promise<Listing>;
  everyMs: number;
  change: () => Promise<void>;
};

const SLOTS = { files: 60, images: 24 };
const OVERWRITE = { conflictStrategy: "OVERWRITE" };

export async function files({
  product,
  partner,
  clusters,
  random,
}: World): Promise<LiedKind> {
  const name = "lied-files";
  await product.hosted(PROJECT, name);
  const wanted: Listing = new Map();
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "GENERIC" }],
    clusters: [clusters.liar],
    setting: OVERWRITE,
  });
  return {
    name,
    task,
    ways: ["liar"],
    wanted,
    found: () => digestsOf(partner, name),
    everyMs: 700,
    async change() {
      const path = `/slot-${Math.floor(random() * SLOTS.files)}.bin`;
      const bytes = randomBytes(random() < 0.9 ? 2_000 : 400_000);
      await product.upload(PROJECT, name, path, bytes, { "X-BKREPO-OVERWRITE": "true" });
      wanted.set(path, sha256(bytes));
    },
  };
}

export async function images(world: World): Promise<LiedKind> {
  const { product, clusters, ways, source, target, random } = world;
  const name = "lied-images";
  const wanted: Listing = new Map();
  const change = async () => {
    const slot = Math.floor(random() * SLOTS.images);
    const [image, tag] = [`app-${slot % 3}`, `v${slot}`];
    const made = makeImage({ layers: [3_000, 200] });
    await pushImage(source.url, `lied/${image}`, tag, made);
    wanted.set(`${image}:${tag}`, made.digest);
  };
  // All images must exist, because the task names them.
  while (new Set([...wanted.keys()].map((key) => key.split(":")[0])).size < 3)
    await change();
  await product.linked(PROJECT, name, ways.liarSource.url);
  const packageConstraints = [0, 1, 2].map((at) => ({
    packageKey: `oci://lied/app-${at}`,
  }));
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "OCI", packageConstraints }],
    clusters: [clusters.liarTarget],
    type: "PACKAGE",
    setting: OVERWRITE,
  });
  return {
    name,
    task,
    ways: ["liarSource", "liarTarget"],
    wanted,
    found: () => listImages(target.host, "lied"),
    everyMs: 2_000,
    change,
  };
}

export async function npm(world: World): Promise<LiedKind> {
  const { product, partner, clusters, ways, ends, random } = world;
  const { instance } = ends.second;
  const [name, origin] = ["lied-npm", "lied-npm-source"];
  await partner.hosted(PROJECT, origin, "NPM");
  const filler = createFiller({
    url: instance.url,
    authorization: authorizationOf(instance),
  });
  const wanted: Listing = new Map();
  let number = 0;
  const change = async () => {
    const [pkg, version] = [`pkg-${Math.floor(random() * 4)}`, `1.${(number += 1)}.0`];
    const tarball = npmTarball({
      "package.json": JSON.stringify({ name: pkg, version }),
      "index.js": `module.exports = "${randomBytes(500).toString("hex")}";\n`,
    });
    await filler.publish(`${PROJECT}/${origin}`, pkg, version, { tarball });
    wanted.set(`${pkg}@${version}`, integrity(tarball));
  };
  await change();
  const url = `${ways.liarNpm.url}/npm/${PROJECT}/${origin}`;
  await product.linked(PROJECT, name, url, instance, "NPM");
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "NPM" }],
    clusters: [clusters.direct],
  });
  const headers = { authorization: authorizationOf(instance) };
  const get = (path: string) => fetch(instance.url + path, { headers });
  return {
    name,
    task,
    ways: ["liarNpm"],
    wanted,
    found: () => listNpm(`${PROJECT}/${name}`, wanted.keys(), get),
    everyMs: 12_000,
    change,
  };
}
