import type { Product, RecordDetail, RecordInfo } from "../rigs/runs/run-fixture.ts";
import { each, type Listing } from "../rigs/runs/run-sources.ts";
import { integrity } from "../rigs/servers/npm-publication.ts";
import { PROJECT } from "./world.ts";

/** Lists the files of a repository with the sha256 that the instance reports. */
export async function digestsOf(product: Product, repoName: string): Promise<Listing> {
  const listing: Listing = new Map();
  for (let page = 1; ; page += 1) {
    const query = `pageNumber=${page}&pageSize=1000&includeFolder=false&deep=true`;
    const { records } = await product.call<{
      records: { fullPath: string; sha256: string | null }[];
    }>("GET", `/repository/api/node/page/${PROJECT}/${repoName}/?${query}`);
    for (const { fullPath, sha256 } of records) listing.set(fullPath, sha256 ?? "");
    if (records.length < 1_000) return listing;
  }
}

/** Describes how a listing differs from the wanted one; null when they are equal. */
export function differences(
  wanted: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): string | null {
  const lost = [...wanted.keys()].filter((key) => !found.has(key));
  const foreign = [...found.keys()].filter((key) => !wanted.has(key));
  const other = [...wanted]
    .filter(([key, digest]) => found.has(key) && found.get(key) !== digest)
    .map(([key]) => key);
  const parts = Object.entries({ lost, foreign, different: other }).filter(
    ([, keys]) => keys.length > 0,
  );
  if (parts.length === 0) return null;
  return parts
    .map(([what, keys]) => `${keys.length} ${what}: ${keys.slice(0, 5).join(", ")}`)
    .join("; ");
}

export const statusOf = (record: RecordInfo | undefined): string =>
  record
    ? `${record.status} ${record.errorReason ?? ""} ${JSON.stringify(record.replicaOverview)}`
    : "no record";

/** Whether artifacts of a run failed, because the disk of its target was full: people free space and repeat it. */
export function lackedRoom(rows: readonly RecordDetail[]): boolean {
  const failed = rows.filter(({ status }) => status === "FAILED");
  return (
    failed.length > 0 &&
    failed.every(({ errorReason }) => /answered 507\b/.test(errorReason ?? ""))
  );
}

export type Get = (path: string) => Promise<Response>;
export const json = async <T>(answer: Promise<Response>) =>
  (await (await answer).json()) as T;

/** Lists the versions of packages in a repository (project/name); `wanted`: package@version, to know the packages. */
export async function listNpm(
  repository: string,
  wanted: Iterable<string>,
  get: Get,
): Promise<Listing> {
  const found: Listing = new Map();
  await each(
    [...new Set([...wanted].map((key) => key.slice(0, key.lastIndexOf("@"))))],
    4,
    async (pkg) => {
      const { versions = {} } = await json<{
        versions?: Record<string, { dist: { tarball: string } }>;
      }>(get(`/npm/${repository}/${pkg.replace("/", "%2f")}`));
      for (const [version, { dist }] of Object.entries(versions)) {
        const bytes = await (await get(new URL(dist.tarball).pathname)).arrayBuffer();
        found.set(`${pkg}@${version}`, integrity(Buffer.from(bytes)));
      }
    },
  );
  return found;
}
