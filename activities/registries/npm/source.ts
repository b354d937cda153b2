import pLimit from "p-limit";
import type { Artifact, ArtifactKey, Origin, Part } from "../../../domain/artifact.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { TransferError, toTransferError } from "../../../domain/failure.ts";
import { type JsonObject, record } from "../../../domain/json.ts";
import type { Closing, End, Opened, Source } from "../contract.ts";
import { openedFrom } from "../ranges.ts";
import { damagedAt } from "../verified.ts";
import type { Package } from "./packument.ts";
import {
  digestsOf,
  encodeName,
  jsonOf,
  type NpmRegistry,
  openNpmRegistry,
  partPath,
  tarballAddress,
} from "./registry.ts";

const ASKED_AT_ONCE = 8;
const DESCRIBED_AT_ONCE = 100;

/** Opens a registry as a source of versions; each consists of its document and a tarball. */
export function openSource(end: End): Source & Closing {
  const registry = openNpmRegistry(end);
  return {
    async describe(keys, signal) {
      const limit = pLimit(ASKED_AT_ONCE);
      return Promise.all(
        keys
          .slice(0, DESCRIBED_AT_ONCE)
          .map((key) => limit(() => describeOrFail(registry, key, signal))),
      );
    },
    open: (artifact, part, offset, signal) =>
      openTarball(registry, artifact, offset, signal),
    damaged: (part, found) => damagedAt(`${part.path} of ${registry.host}`, found),
    close: registry.close,
  };
}

/**
 * Describes one version. A failure is returned instead of thrown, so that it does not affect the other
 * versions; only "cancelled" is thrown.
 */
async function describeOrFail(
  registry: NpmRegistry,
  key: ArtifactKey,
  signal: AbortSignal,
): Promise<Artifact | TransferError | null> {
  try {
    return await describe(registry, key, signal);
  } catch (error) {
    const failure = toTransferError(error);
    if (failure.kind === "cancelled") throw failure;
    return failure;
  }
}

async function describe(
  registry: NpmRegistry,
  { name, version }: ArtifactKey,
  signal: AbortSignal,
): Promise<Artifact | null> {
  const found = await registry.package(name, false, signal);
  const short = found?.versions.get(version);
  if (!found || !short) return null;
  const document = await readDocument(registry, name, version, signal);
  const part: Part = {
    path: partPath(name, version),
    size: null,
    digests: { ...digestsOf(short), ...digestsOf(document) },
  };
  const tags = [...found.tags].flatMap(([tag, tagged]) =>
    tagged === version ? [tag] : [],
  );
  // The other versions of the package decide whether `latest` may move at the target.
  const siblings = tags.includes("latest")
    ? { siblings: [...found.versions.keys()] }
    : {};
  return {
    name,
    version,
    parts: [part],
    digest: null,
    document,
    tags,
    ...siblings,
    origin: originOf(document, found),
  };
}

/**
 * Reads the full document of a version: by a request for this version, or from the package's document
 * if the registry does not serve single versions.
 */
async function readDocument(
  registry: NpmRegistry,
  name: string,
  version: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const what = `${name}@${version}`;
  const answer = await registry.ask(
    `${encodeName(name)}/${encodeURIComponent(version)}`,
    {
      method: "GET",
      what,
      accept: [404, 405, 501],
      signal,
    },
  );
  if (answer.status < 300) return jsonOf(answer, what, LIMITS.version);
  await answer.discard();
  const whole = await registry.whole(name, "", what, signal);
  const document = whole?.versions.get(version);
  if (document === undefined)
    throw new TransferError(
      "notFound",
      `${what} is no longer at ${registry.host}: it was unpublished there`,
    );
  return document;
}

/**
 * Builds the origin from the publisher of the version and the last change of the package; without them,
 * "system" and the present time.
 */
function originOf(document: JsonObject, { modified }: Package): Origin {
  const publisher = record(document["_npmUser"])["name"];
  const by = typeof publisher === "string" && publisher !== "" ? publisher : "system";
  const date = modified ?? Date.now();
  return { createdBy: by, createdDate: date, lastModifiedBy: by, lastModifiedDate: date };
}

/**
 * Opens a tarball at the address that its document names. Behind proxies that address often names another host:
 * then the usual path at the registry is tried first, and the other host gets no credentials. A document
 * without an address leaves only the usual path.
 */
async function openTarball(
  registry: NpmRegistry,
  { name, version, document }: Artifact,
  offset: number,
  signal: AbortSignal,
): Promise<Opened> {
  const what = `tarball of ${name}@${version}`;
  const told = addressOf(registry, document);
  const usual = new URL(`${registry.base}/${tarballAddress(name, version)}`);
  const isOwn = told?.origin === usual.origin;
  const headers = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const ask = (url: URL, login: boolean, accept: number[]) =>
    registry.http.request({
      method: "GET",
      url,
      ours: url === usual ? undefined : usual.origin,
      what,
      headers: { ...headers, ...(login ? registry.login : {}) },
      accept,
      signal,
    });
  const { budgets } = registry;
  if (told && isOwn) return openedFrom(await ask(told, true, []), offset, budgets);
  const answer = await ask(usual, true, told ? [404] : []);
  if (answer.status !== 404 || !told) return openedFrom(answer, offset, budgets);
  await answer.discard();
  return openedFrom(await ask(told, false, []), offset, budgets);
}

function addressOf({ base }: NpmRegistry, document: JsonObject | null): URL | null {
  const { tarball } = record(document?.["dist"]);
  return typeof tarball === "string" && URL.canParse(tarball, `${base}/`)
    ? new URL(tarball, `${base}/`)
    : null;
}
