import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect } from "vitest";
import {
  epoch,
  type Product,
  type RecordDetail,
  type RecordInfo,
} from "./run-fixture.ts";
import { each, type Listing } from "./run-sources.ts";
import { ALL_TYPES } from "../servers/images.ts";
import { CRANE } from "../servers/oci-tools.ts";
import type { SeenRequest } from "../servers/proxy.ts";
import { findTool } from "../servers/tools.ts";

const run = promisify(execFile);

/**
 * Lists all images below a namespace of a registry with crane, or by plain HTTP if crane is not
 * available. Digests are read by plain HTTP; tags of attached manifests are left out.
 */
export async function listImages(host: string, namespace: string): Promise<Listing> {
  const crane = await findTool(CRANE);
  const lines = async (...args: string[]) =>
    (await run(crane ?? "", [...args, "--insecure"])).stdout.split("\n").filter(Boolean);
  const json = async <T>(path: string) =>
    (await (await fetch(`http://${host}/v2/${path}`)).json()) as T;
  const names = crane
    ? await lines("catalog", host)
    : (await json<{ repositories: string[] }>("_catalog?n=10000")).repositories;
  const listing: Listing = new Map();
  await each(
    names.filter((name) => name.startsWith(`${namespace}/`)),
    4,
    async (name) => {
      const tags = crane
        ? await lines("ls", `${host}/${name}`).catch(noTags)
        : ((await json<{ tags?: string[] }>(`${name}/tags/list?n=10000`)).tags ?? []);
      const images = tags.filter((tag) => !tag.startsWith("sha256-"));
      await each(images, 4, async (tag) => {
        const head = await fetch(`http://${host}/v2/${name}/manifests/${tag}`, {
          method: "HEAD",
          headers: { accept: ALL_TYPES },
        });
        listing.set(
          `${name.slice(namespace.length + 1)}:${tag}`,
          head.headers.get("docker-content-digest") ?? `status ${head.status}`,
        );
      });
    },
  );
  return listing;
}

/** Returns an empty list for a repository that has only blobs: it is in the catalog but has no list of tags. */
function noTags(error: unknown): string[] {
  if (String(error).includes("NAME_UNKNOWN")) return [];
  throw error;
}

/** Lists all files of an instance's repository with the sha256 of their downloaded bytes. */
export async function listFiles(
  product: Product,
  projectId: string,
  repoName: string,
  hash: (bytes: Uint8Array) => string,
): Promise<Listing> {
  const listing: Listing = new Map();
  for (let page = 1; ; page += 1) {
    const query = `pageNumber=${page}&pageSize=1000&includeFolder=false&deep=true`;
    const { records } = await product.call<{ records: { fullPath: string }[] }>(
      "GET",
      `/repository/api/node/page/${projectId}/${repoName}/?${query}`,
    );
    await each(records, 8, async ({ fullPath }) => {
      const bytes = await product.download(projectId, repoName, encodeURI(fullPath));
      if (bytes) listing.set(fullPath, hash(bytes));
    });
    if (records.length < 1000) return listing;
  }
}

/**
 * Checks that a run's record reports complete success and that its details are exactly `listing`; returns the details.
 */
export async function expectWhole(
  product: Product,
  record: RecordInfo,
  listing: Listing,
): Promise<RecordDetail[]> {
  const details = await product.details(record.id);
  const { status, errorReason, replicaOverview } = record;
  const counts = {
    planned: listing.size,
    success: listing.size,
    failed: 0,
    notDone: 0,
    conflict: 0,
  };
  expect({ status, errorReason }).toEqual({ status: "SUCCESS", errorReason: null });
  expect(replicaOverview).toMatchObject(counts);
  expect(listingOf(details)).toEqual(sorted(listing));
  expect(
    details.every(
      ({ status, endTime, errorReason }) =>
        status === "SUCCESS" && endTime !== null && errorReason === null,
    ),
  ).toBe(true);
  return details;
}

export const sorted = (listing: Listing): [string, string][] =>
  [...listing].toSorted(([a], [b]) => (a < b ? -1 : 1));

/** Turns details into a listing; an artifact with two rows appears twice. */
export function listingOf(details: RecordDetail[]): [string, string][] {
  const rows = details.map(
    ({ artifactName, version, digest, sha256 }): [string, string] =>
      version === null
        ? [artifactName, sha256 ?? ""]
        : [`${artifactName}:${version}`, digest ?? ""],
  );
  return rows.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Returns images whose manifest was put to the target after their outcome had been recorded. */
export function imagesSentAgain(
  requests: SeenRequest[],
  namespace: string,
  details: RecordDetail[],
): string[] {
  const recorded = endTimes(details);
  return requests.flatMap(({ method, path, time }) => {
    const [, name, tag] =
      new RegExp(`^/v2/${namespace}/(.+)/manifests/([^/]+)$`).exec(path) ?? [];
    const end = recorded.get(`${name}:${tag}`);
    return method === "PUT" && end !== undefined && time > end
      ? [`${name}:${tag} ${time - end} ms after`]
      : [];
  });
}

/** Returns files that were declared at the target after their outcome had been recorded. */
export function filesSentAgain(
  requests: SeenRequest[],
  target: string,
  details: RecordDetail[],
): string[] {
  const recorded = endTimes(details);
  return requests
    .filter(({ path }) => path.endsWith(`/files/${target}`))
    .flatMap(({ body, time }) =>
      statedPaths(Buffer.concat(body)).flatMap((path) => {
        const end = recorded.get(path);
        return end !== undefined && time > end ? [`${path} ${time - end} ms after`] : [];
      }),
    );
}

function endTimes(details: RecordDetail[]): Map<string, number> {
  return new Map(
    details.map(({ artifactName, version, endTime }) => [
      version === null ? artifactName : `${artifactName}:${version}`,
      epoch(endTime),
    ]),
  );
}

/**
 * Returns the paths in a declaration's body (docs/instance-protocol.md); none if the body was cut off
 * within its head.
 */
function statedPaths(body: Buffer): string[] {
  const length = body.length < 4 ? Number.POSITIVE_INFINITY : body.readUInt32BE(0);
  if (body.length < 4 + length) return [];
  const { files } = JSON.parse(body.subarray(4, 4 + length).toString("utf8")) as {
    files: { path: string }[];
  };
  return files.map(({ path }) => path);
}
