import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { npmTarball } from "../api/tarball.ts";
import { USER } from "../servers/credentials.ts";
import { type NpmClient, npmClient } from "../servers/npm-client.ts";
import { type FaultProxy, startProxy } from "../servers/proxy.ts";
import { startVerdaccio, type Verdaccio } from "../servers/verdaccio.ts";
import type { Instance } from "./instance.ts";
import {
  closed,
  createCleanup,
  type RecordDetail,
  type TaskDraft,
  type TaskObject,
  unique,
} from "./run-fixture.ts";
import { startFileRig } from "./run-rig.ts";

/** A registry, and an npm program that is logged in there. */
type End = { npm: NpmClient; url: string };
type Upstream = End & { proxy: FaultProxy; server: Verdaccio };

export type NpmRig = Awaited<ReturnType<typeof startNpmRig>>;

/**
 * Starts two instances and two npm registries for runs of npm packages: `from`, linked as `source`, and
 * `to`, the REMOTE cluster `target`.
 */
export async function startNpmRig() {
  const cleanup = createCleanup();
  const upstream = async (
    options: Parameters<typeof startVerdaccio>[0] = {},
  ): Promise<Upstream> => {
    const server = await cleanup.keep(startVerdaccio(options), (one) => one.stop());
    const proxy = await cleanup.keep(startProxy(server.url), (one) => one.stop());
    const npm = npmClient(server.url, USER);
    await cleanup.keep(Promise.resolve(npm), async (one) => one.remove());
    return { server, proxy, url: proxy.url, npm };
  };
  try {
    const rig = await cleanup.keep(startFileRig(), (one) => one.end());
    const [from, to] = [await upstream(), await upstream({ maxBodySize: "3mb" })];
    const source = unique("linked");
    await rig.product.linked(rig.projectId, source, from.url, USER, "NPM");
    const target = await rig.product.registry(unique("npm"), to.url, USER);
    return {
      ...rig,
      from,
      to,
      source,
      target,
      passAll(): void {
        from.proxy.fault = () => null;
        to.proxy.fault = () => null;
      },
      /** Opens a hosted repository of an instance for npm. */
      open(instance: Instance, name: string): End {
        const url = `${instance.url}/npm/${rig.projectId}/${name}`;
        return { url, npm: npmClient(url, instance) };
      },
      /** Runs a task to its end, to `target` unless the draft names other clusters. */
      async run(
        object: Partial<TaskObject> & { localRepoName: string },
        { clusters = [target], ...draft }: Partial<TaskDraft> = {},
      ) {
        const key = await rig.product.run({
          projectId: rig.projectId,
          objects: [{ repoType: "NPM", ...object }],
          clusters,
          ...draft,
        });
        const record = await closed(rig.product, key);
        return { record, details: await rig.product.details(record.id) };
      },
      end: cleanup.all,
    };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}

/** Returns the tarball of an npm package with `size` random bytes. */
export const tarballOf = (name: string, version: string, size = 500): Buffer =>
  npmTarball({
    "package.json": JSON.stringify({ name, version, description: `about ${name}` }),
    "content.bin": randomBytes(size),
  });

/** Publishes versions by plain HTTP, and returns their tarballs by version. */
export async function publish(
  end: End,
  name: string,
  versions: readonly string[],
): Promise<Map<string, Buffer>> {
  const tarballs = new Map(
    versions.map((version) => [version, tarballOf(name, version)]),
  );
  for (const [version, tarball] of tarballs)
    await end.npm.put(name, version, tarball, {
      document: { description: `about ${name}` },
    });
  return tarballs;
}

/** Publishes a version with the npm program, and returns it with its tarball. */
export async function npmPublish(
  { npm }: End,
  name: string,
  version: string,
  ...args: string[]
): Promise<[string, Buffer]> {
  const tarball = tarballOf(name, version);
  await npm.publishTarball(tarball, ...args);
  return [version, tarball];
}

/** Returns the package constraints that choose these packages. */
export const packagesOf = (...names: string[]) =>
  names.map((name) => ({ packageKey: `npm://${name}` }));

/** Returns the reason of each failed detail, by package. */
export const reasonsOf = (details: RecordDetail[]): Record<string, string> =>
  Object.fromEntries(
    details.flatMap(({ artifactName, errorReason }) =>
      errorReason === null ? [] : [[artifactName, errorReason]],
    ),
  );

/** Expects that npm fetches exactly these tarballs, given by version, from the registry `end`. */
export async function expectThere(
  { npm }: End,
  name: string,
  tarballs: ReadonlyMap<string, Buffer>,
): Promise<void> {
  for (const [version, tarball] of tarballs)
    expect(
      (await npm.fetchTarball(`${name}@${version}`))?.equals(tarball),
      `${name}@${version}`,
    ).toBe(true);
}

/** Returns a field of a package as `npm view` shows it; undefined if it is empty. */
export async function view({ npm }: End, name: string, field: string): Promise<unknown> {
  const said = await npm.run(".", "view", name, field, "--json");
  return said.trim() === "" ? undefined : JSON.parse(said);
}

/** Returns the bytes with one bit of the last byte flipped. */
export const flipped = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]);
