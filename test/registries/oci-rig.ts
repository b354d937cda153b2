import { randomBytes } from "node:crypto";
import type { Connector } from "../../activities/registries/contract.ts";
import { header, on, type Rule } from "../rigs/servers/faulty.ts";
import {
  makeImage,
  pushImage,
  readManifest,
  type TestManifest,
} from "../rigs/servers/images.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";
import type { RealEnd, Rig, Sample, Wanted } from "./conformance/rig.ts";
import { plainEnd } from "./conformance/writing.ts";

type Login = { username: string; password: string };
const ORIGIN = {
  createdBy: "tester",
  createdDate: 0,
  lastModifiedBy: "tester",
  lastModifiedDate: 0,
};
/** The image that each sample stands for. */
const images = new WeakMap<Sample, TestManifest>();

/** Opens two image registries, which are filled and read by plain HTTP. `login`: the login that is accepted. */
export async function ociRig(
  connector: Connector,
  source: TestRegistry,
  target: TestRegistry,
  login: Login,
): Promise<Rig> {
  const [from, to] = await Promise.all([realEnd(source, login), realEnd(target, login)]);
  return {
    connector,
    type: "OCI",
    from,
    to,
    sample,
    named: (names) => ({
      packages: names.map((name) => ({ packageKey: `oci://${name}`, versions: null })),
      paths: [],
    }),
    pages: {
      endless: () => pages((count) => `last=after-${count}`),
      repeating: () => pages(() => "last=same"),
    },
    lies: [],
    sayings: (message) => [
      JSON.stringify({ errors: [{ code: "DENIED", message, detail: message }] }),
    ],
    large: () => sample().artifact,
    takes: { status: 201, body: "" },
    async close() {
      await Promise.all([
        from.proxy.stop(),
        to.proxy.stop(),
        source.stop(),
        target.stop(),
      ]);
    },
  };
}

/** Adds a next page to each page of tags. */
const pages = (query: (count: number) => string): Rule =>
  on({ path: /\/tags\/list/ }, (count, { path }) =>
    header("link", `<${path.replace(/\?.*$/, "")}?${query(count)}>; rel="next"`),
  );

async function realEnd(
  registry: TestRegistry,
  login: Login,
): Promise<RealEnd & { proxy: FaultProxy }> {
  const { url } = registry;
  const proxy = await startProxy(url);
  const headersFor = async (name: string) => ({
    authorization: await authorizationFor(registry, login, name),
  });
  const blobAt = async (name: string, digest: string): Promise<Buffer | null> => {
    const answer = await fetch(`${url}/v2/${name}/blobs/${digest}`, {
      headers: await headersFor(name),
    });
    return answer.ok ? Buffer.from(await answer.arrayBuffer()) : null;
  };
  return {
    proxy,
    end: (changes = {}) =>
      plainEnd(proxy.url, { ...login, realms: registry.realms, ...changes }),
    async fill(each) {
      const { name, version } = each.artifact;
      await pushImage(url, name, version, imageOf(each), await headersFor(name));
    },
    async read(each) {
      const { name, version } = each.artifact;
      const manifest = await readManifest(url, name, version, await headersFor(name));
      if (manifest === null) return null;
      const found = new Map([["/manifest", manifest.bytes]]);
      for (const { digest } of imageOf(each).blobs) {
        const bytes = await blobAt(name, digest);
        if (bytes !== null) found.set(`/${digest}`, bytes);
      }
      return found;
    },
    async remove(each) {
      const { name } = each.artifact;
      await fetch(`${url}/v2/${name}/manifests/${imageOf(each).digest}`, {
        method: "DELETE",
        headers: await headersFor(name),
      });
    },
  };
}

/**
 * Returns the Authorization value: Basic, or a token with all rights to an image (the distribution token
 * specification).
 */
async function authorizationFor(
  { tokens }: TestRegistry,
  { username, password }: Login,
  name: string,
): Promise<string> {
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  if (tokens === null) return basic;
  const scope = `repository:${name}:pull,push,delete`;
  const answer = await fetch(
    `${tokens.realm}?${new URLSearchParams({ service: "test", scope })}`,
    {
      headers: { authorization: basic },
    },
  );
  return `Bearer ${((await answer.json()) as { token: string }).token}`;
}

function sample({ size = 1_000, beside, instead }: Wanted = {}): Sample {
  const name =
    (instead ?? beside)?.artifact.name ??
    `conformance/sample-${randomBytes(6).toString("hex")}`;
  const version =
    instead?.artifact.version ??
    (beside === undefined ? "1" : `${beside.artifact.version}.1`);
  const image = makeImage({ layers: [size] });
  const contents = new Map([
    ["/manifest", image.bytes],
    ...image.blobs.map(({ digest, bytes }) => [`/${digest}`, bytes] as const),
  ]);
  const parts = [...contents].map(([path, { length }]) => ({
    path,
    size: length,
    digests: {},
  }));
  const made = {
    artifact: {
      name,
      version,
      parts,
      digest: image.digest,
      document: null,
      tags: [],
      origin: ORIGIN,
    },
    contents,
  };
  images.set(made, image);
  return made;
}

function imageOf(each: Sample): TestManifest {
  const image = images.get(each);
  if (image === undefined) throw new Error("the sample belongs to another rig");
  return image;
}
