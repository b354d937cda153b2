import { auditBy } from "../../../db/audit.ts";
import { putBlobs } from "../../../db/content/blobs.ts";
import { causeOf } from "../../../db/content/damage.ts";
import { durable } from "../../../db/durable.ts";
import { type DbOrTx, write } from "../../../db/open.ts";
import { putNpmVersion } from "../../../db/packages/npm/record.ts";
import { findTwin } from "../../../db/packages/npm/find.ts";
import { findPackage, findVersion } from "../../../db/packages/versions.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import { overQuota } from "../../../db/content/quotas.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { record } from "../../../domain/json.ts";
import { integrityProblem, type TarballDigests } from "../../../domain/npm/integrity.ts";
import { isDistTag, type NpmDocument, tarballFile } from "../../../domain/npm/package.ts";
import { overQuotaText } from "../../../domain/quota.ts";
import { isNpmVersion, sameButForBuild } from "../../../domain/npm/version.ts";
import { lookAtContents } from "../../content/look.ts";
import type { ApiDeps } from "../../deps.ts";
import { NpmError } from "./errors.ts";
import { documentOf, type Publication, type Tarball } from "./publication.ts";
import { filePath } from "./read.ts";
import { npmRepository } from "./repository.ts";

/** Maximum bytes of the document of one version, readme included. */
const MAX_DOCUMENT = 4 * 1024 * 1024;

/** A publication whose body has passed all checks; whether its version is new is checked apart. */
type Judged = {
  name: string;
  version: string;
  document: NpmDocument;
  distTags: string[];
  file: string;
  path: string;
};

/**
 * Creates the version that a client publishes. When the promise resolves, the version is durable;
 * when it rejects, nothing of the version is kept.
 */
export async function publish(
  deps: ApiDeps,
  repository: RepositoryRow,
  name: string,
  publication: Publication & { tarball: Tarball },
  user: string,
): Promise<void> {
  const { db, store, now } = deps;
  const { tarball } = publication;
  const judged = judge(name, publication);
  if (await repairs(deps, repository, judged, tarball)) return;
  mustBeNew(db, repository, judged);
  const over = overQuota(db, repository, tarball.staged.size);
  if (over !== null) throw new NpmError(413, overQuotaText(over).en);
  await tarball.staged.commit((blob) =>
    write(db, (tx) => {
      // The repository may have been deleted, or the version published, while the body arrived.
      const there = npmRepository(db, {
        projectId: repository.projectId,
        repoName: repository.name,
      });
      mustBeNew(tx, there, judged);
      const at = now();
      putBlobs(tx, [blob], at);
      const [result] = putNodes(
        db,
        there,
        [
          {
            fullPath: judged.path,
            sha256: blob.sha256,
            metadata: {},
            partOfVersion: true,
          },
        ],
        { overwrite: true, user, now: at },
      );
      if (result?.kind === "blocked")
        throw new NpmError(
          409,
          `${result.at} is in the way of the tarball ${judged.path}: delete it first`,
        );
      if (result?.kind === "overQuota")
        throw new NpmError(413, overQuotaText(result.over).en);
      const audit = auditBy({ user, now: at });
      const { version, document, distTags, file } = judged;
      putNpmVersion(
        tx,
        there,
        {
          name,
          version,
          document,
          tarball: { sha256: blob.sha256, size: blob.size, file },
          distTags,
        },
        audit,
        at,
      );
    }),
  );
  store.keepDigests({ ...tarball.staged, ...digestsOf(tarball) });
  await durable(db);
}

/**
 * Stores the tarball in place of that of the version, if the version exists with this very tarball.
 * Returns whether that one was known to be damaged, so that publishing it again repairs the version.
 */
async function repairs(
  deps: ApiDeps,
  { id }: RepositoryRow,
  { name, version }: Judged,
  { staged }: Tarball,
): Promise<boolean> {
  const { db, now } = deps;
  const owner = findPackage(db, id, name);
  const there = owner && findVersion(db, owner.id, version);
  if (there?.digest !== `sha256:${staged.sha256}`) return false;
  await lookAtContents(deps, [staged.sha256]);
  const wasDamaged = await staged.commit((blob) =>
    write(db, (tx) => {
      const cause = causeOf(tx, blob.sha256);
      putBlobs(tx, [blob], now());
      return cause !== undefined;
    }),
  );
  await durable(db);
  return wasDamaged;
}

function digestsOf({ staged, sha1, sha512 }: Tarball): TarballDigests {
  return {
    sha1,
    sha256: staged.sha256,
    sha512: Buffer.from(sha512, "base64").toString("hex"),
  };
}

function mustBeNew(db: DbOrTx, { id }: RepositoryRow, { name, version }: Judged): void {
  const owner = findPackage(db, id, name);
  if (owner === undefined) return;
  if (findVersion(db, owner.id, version))
    throw new NpmError(
      409,
      `you cannot publish over the previously published version: ${name}@${version}`,
    );
  const twin = findTwin(db, owner.id, version);
  if (twin !== null)
    throw new NpmError(
      409,
      `you cannot publish over the previously published version: ${sameButForBuild(name, version, twin)}`,
    );
}

function judge(
  name: string,
  { body, versions, tarball }: Publication & { tarball: Tarball },
): Judged {
  const [version, ...others] = versions?.keys() ?? [];
  if (versions === null || version === undefined || others.length > 0)
    throw new NpmError(
      400,
      "versions must contain exactly the one version that is published",
    );
  if (!isNpmVersion(version))
    throw new NpmError(
      400,
      `${JSON.stringify(version.slice(0, 100))} is not a valid version: write it as in 1.2.3 or 1.2.3-beta.1`,
    );
  const document = documentOf(versions, version);
  checkNames(name, version, body, document);
  checkContent(tarball, document, record(record(body["_attachments"])[tarball.file]));
  const file = tarballFile(name, version);
  return {
    name,
    version,
    document: completed(document, body, tarball),
    distTags: distTagsOf(body, version),
    file,
    path: filePath(name, file),
  };
}

function checkNames(
  name: string,
  version: string,
  body: Record<string, unknown>,
  document: NpmDocument,
): void {
  for (const said of [body["name"] ?? name, document["name"]]) {
    if (said !== name)
      throw new NpmError(
        400,
        `the document names the package ${JSON.stringify(said)?.slice(0, 250)}, but the address names ${name}: ` +
          "send the document to the address of its package",
      );
  }
  if (document["version"] !== version)
    throw new NpmError(
      400,
      `the document of ${name}@${version} names the version ${JSON.stringify(document["version"])?.slice(0, 100)}: ` +
        "write the same version in both places",
    );
}

/**
 * Checks that the tarball is not empty, has the hashes that `dist` states and the length that the
 * attachment states; throws 400 if not.
 */
function checkContent(
  tarball: Tarball,
  document: NpmDocument,
  { length }: Record<string, unknown>,
): void {
  const { staged } = tarball;
  if (staged.size === 0) throw new NpmError(400, "the tarball is empty");
  if (typeof length === "number" && length !== staged.size)
    throw new NpmError(
      400,
      `the attachment announces ${length} bytes and has ${staged.size}: publish again`,
    );
  const problem = integrityProblem(document, digestsOf(tarball));
  if (problem !== null) throw new NpmError(400, problem);
}

/**
 * Adds the hashes that the client left out, and the readme that older clients put beside the
 * versions. Throws 413 if the document is then longer than MAX_DOCUMENT.
 */
function completed(
  document: NpmDocument,
  { readme }: Record<string, unknown>,
  { sha1, sha512 }: Tarball,
): NpmDocument {
  const { integrity, ...dist } = record(document["dist"]);
  const whole = {
    ...(typeof readme === "string" && readme !== "" ? { readme } : {}),
    ...document,
    dist: { ...dist, integrity: integrity || `sha512-${sha512}`, shasum: sha1 },
  };
  const size = Buffer.byteLength(JSON.stringify(whole));
  if (size > MAX_DOCUMENT)
    throw new NpmError(
      413,
      `the document of the version has ${size} bytes, at most ${MAX_DOCUMENT} are allowed: ` +
        "shorten the readme or package.json",
    );
  return whole;
}

function distTagsOf(body: Record<string, unknown>, version: string): string[] {
  const tags = Object.entries(record(body["dist-tags"])).flatMap(([tag, of]) =>
    of === version ? [tag] : [],
  );
  for (const tag of tags) checkDistTag(tag);
  return tags;
}

export function checkDistTag(tag: string): void {
  if (!isDistTag(tag))
    throw new NpmError(
      400,
      `${JSON.stringify(tag.slice(0, 100))} is not a valid dist-tag: use a word that is neither a version nor a range`,
    );
}
