import { createHash, randomBytes } from "node:crypto";
import type { Artifact } from "../../domain/artifact.ts";
import { on, rewritten, type Rule } from "../rigs/servers/faulty.ts";
import { npmClient } from "../rigs/servers/npm-client.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import { npmTarball } from "../rigs/api/tarball.ts";
import type { Judged, RealEnd, Rig, Sample, Wanted } from "./conformance/rig.ts";
import { plainEnd } from "./conformance/writing.ts";

type Login = { username: string; password: string };
/**
 * The parts of the rig that differ for a connector of another protocol. `namespace`: namespace of an
 * end whose address is that of the server.
 */
type Place = Partial<Rig> & { namespace?: string };
const ORIGIN = {
  createdBy: "tester",
  createdDate: 0,
  lastModifiedBy: "tester",
  lastModifiedDate: 0,
};

/**
 * Opens the npm registry at `registry`, which `npm` fills and reads. `connector` is under test, `stop` ends the
 * registry; `place` has what differs for a connector of another protocol.
 */
export async function npmRig(
  connector: Judged,
  registry: string,
  login: Login,
  stop: () => Promise<void>,
  place: Place = {},
): Promise<Rig> {
  const { origin, pathname } = new URL(registry);
  const proxy = await startProxy(origin);
  const npm = npmClient(registry, login);
  const { namespace, ...differing } = place;
  const url =
    namespace === undefined ? `${proxy.url}${pathname.replace(/\/$/, "")}` : proxy.url;
  const real: RealEnd = {
    proxy,
    end: (changes = {}) =>
      plainEnd(url, { namespace: namespace ?? "", ...login, ...changes }),
    async fill({ contents }) {
      for (const tarball of contents.values()) await npm.publishTarball(tarball);
    },
    async read({ artifact: { name, version }, contents }) {
      const tarball = await npm.fetchTarball(`${name}@${version}`);
      return tarball === null
        ? null
        : new Map([...contents.keys()].map((path) => [path, tarball]));
    },
    async remove({ artifact: { name, version } }) {
      await npm.run(".", "unpublish", `${name}@${version}`, "--force");
    },
  };
  return {
    connector,
    type: "NPM",
    from: real,
    to: real,
    sample,
    named: (names) => ({
      packages: names.map((name) => ({ packageKey: `npm://${name}`, versions: null })),
      paths: [],
    }),
    lies: LIES,
    large: (size) => artifactOf(freshName(), "1.0.0", { size, digests: {} }),
    takes: { status: 201, body: '{"ok":"created"}' },
    ...differing,
    async close() {
      npm.remove();
      await proxy.stop();
      await stop();
    },
  };
}

/** Number of names made so far; every second name is scoped. */
let names = 0;
const freshName = (): string =>
  `${names++ % 2 === 0 ? "" : "@conformance/"}sample-${randomBytes(6).toString("hex")}`;

function sample({ size = 1_000, beside, instead }: Wanted = {}): Sample {
  const { name, version } = instead?.artifact ?? {
    name: beside?.artifact.name ?? freshName(),
    version: beside ? next(beside.artifact.version) : "1.0.0",
  };
  const tarball = npmTarball(
    {
      "package.json": JSON.stringify({ name, version, description: `${name} for tests` }),
      "content.bin": randomBytes(size),
    },
    0,
  );
  const digest = (algorithm: string) =>
    createHash(algorithm).update(tarball).digest("hex");
  const artifact = artifactOf(name, version, {
    size: tarball.length,
    digests: { sha512: digest("sha512"), sha1: digest("sha1") },
  });
  return {
    artifact,
    contents: new Map(artifact.parts.map(({ path }) => [path, tarball])),
  };
}

const next = (version: string): string =>
  version.replace(/(\d+)\.(\d+)$/, (_, minor: string) => `${Number(minor) + 1}.0`);

function artifactOf(
  name: string,
  version: string,
  { size, digests }: { size: number; digests: { sha512?: string; sha1?: string } },
): Artifact {
  const path = `/${name}/-/${name.replace(/^.*\//, "")}-${version}.tgz`;
  const integrity =
    digests.sha512 === undefined
      ? {}
      : {
          integrity: `sha512-${Buffer.from(digests.sha512, "hex").toString("base64")}`,
          shasum: digests.sha1,
        };
  const document = {
    name,
    version,
    description: `${name} for tests`,
    dist: { ...integrity, tarball: path.slice(1) },
  };
  return {
    name,
    version,
    parts: [{ path, size, digests }],
    digest: null,
    document,
    tags: [],
    origin: ORIGIN,
  };
}

/** Rewrites a registry's documents of packages, but not their tarballs. */
const told = (from: RegExp, to: string) => (): Rule =>
  on({ does: "get", path: /^(?!.*\.tgz$)/ }, rewritten(from, to));
const OTHER = `sha512-${createHash("sha512").update("something else").digest("base64")}`;

const LIES = [
  {
    lie: "the integrity of another tarball",
    rule: told(/sha512-[A-Za-z0-9+/=]+/g, OTHER),
  },
  {
    lie: "another shasum",
    rule: told(/"shasum":"[0-9a-f]+"/g, `"shasum":"${"0".repeat(40)}"`),
  },
  { lie: "an invalid integrity", rule: told(/sha512-[A-Za-z0-9+/=]+/g, "sha512-!!!") },
  { lie: "neither integrity nor shasum", rule: told(/"(integrity|shasum)":/g, '"_$1":') },
  {
    lie: "a tarball where nobody listens",
    rule: told(/"tarball":"[^"]+"/g, '"tarball":"http://127.0.0.1:9/x.tgz"'),
  },
  {
    lie: "a tarball without an address",
    rule: told(/"tarball":"[^"]+"/g, '"tarball":"::"'),
  },
];
