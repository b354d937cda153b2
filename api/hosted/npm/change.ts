import { durable } from "../../../db/durable.ts";
import { write } from "../../../db/open.ts";
import {
  changeDistTags,
  changedDeprecations,
  setDeprecations,
} from "../../../db/packages/npm/change.ts";
import { deleteNpmPackage, deleteNpmVersions } from "../../../db/packages/npm/delete.ts";
import {
  revisionOf,
  shownTags,
  versionNames,
  versionOfTarball,
} from "../../../db/packages/npm/find.ts";
import { findPackage, type PackageRow } from "../../../db/packages/versions.ts";
import { turn } from "../../../db/turns.ts";
import { NOT_JSON, parseJson } from "../../../domain/foreign/json.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import type { Members } from "../../../domain/foreign/slices.ts";
import { record } from "../../../domain/json.ts";
import { by } from "../../http/by.ts";
import { deprecationOf } from "../../../domain/npm/package.ts";
import { NpmError } from "./errors.ts";
import { documentOf, type Publication, readPublication } from "./publication.ts";
import { checkDistTag, publish } from "./publish.ts";
import { filePath } from "./read.ts";
import { type NpmRequest, packageOf } from "./request.ts";

/**
 * Answers PUT of a package: publishes a version if a tarball came with the body, else sets the
 * deprecations that the body, the document of the package, states.
 */
export async function putPackage(request: NpmRequest, name: string): Promise<Response> {
  const { c, deps, repository } = request;
  const publication = await readPublication(c, deps);
  const { tarball } = publication;
  if (tarball === null) return deprecate(request, name, publication);
  try {
    await publish(deps, repository, name, { ...publication, tarball }, c.get("user"));
  } catch (error) {
    await tarball.staged.discard();
    throw error;
  }
  return done(request, name, 201);
}

/** Number of versions to deprecate before other work gets its turn. */
const STEP = 200;

/** Carries out `npm deprecate`: the body is the document of the package with other deprecations. */
async function deprecate(
  request: NpmRequest,
  name: string,
  publication: Publication,
): Promise<Response> {
  const { deps, repository } = request;
  const owner = findPackage(deps.db, repository.id, name);
  const { body } = publication;
  const versions = versionsOf(publication);
  const known = new Set(owner ? versionNames(deps.db, owner.id) : []);
  const unknown = [...versions.keys()].find((version) => !known.has(version));
  if (owner) mustBeCurrent(owner, body["_rev"]);
  if (unknown !== undefined)
    throw new NpmError(
      400,
      `the version ${name}@${unknown.slice(0, 250)} has no tarball: publish it with _attachments`,
    );
  const wanted = await deprecationsIn(versions);
  const changed = changedDeprecations(deps.db, packageOf(request, name).id, wanted);
  for (let at = 0; at < changed.length; at += STEP) {
    await turn("answer");
    write(deps.db, (tx) =>
      setDeprecations(
        tx,
        repository,
        packageOf(request, name),
        changed.slice(at, at + STEP),
        by(request.c, request.deps),
      ),
    );
  }
  await durable(deps.db);
  return done(request, name, 200);
}

/** Reads the deprecations version by version, so that other requests get their turn. */
async function deprecationsIn(versions: Members): Promise<Map<string, string | null>> {
  const found = new Map<string, string | null>();
  for (const version of versions.keys()) {
    found.set(version, deprecationOf(documentOf(versions, version)));
    if (found.size % STEP === 0) await turn("answer");
  }
  return found;
}

function versionsOf({ versions }: Publication): Members {
  if (versions !== null) return versions;
  throw new NpmError(
    403,
    "owners and stars of packages are not kept here: the administrator owns everything",
  );
}

/**
 * Carries out `npm unpublish` of versions: deletes the versions that the body, the package's
 * document, lacks. The dist-tags become those of the body; `latest` is not deleted.
 */
export async function putRevision(
  request: NpmRequest,
  name: string,
  rev: string,
): Promise<Response> {
  const { c, deps, repository } = request;
  const publication = await readPublication(c, deps);
  const { body, tarball } = publication;
  if (tarball !== null) {
    await tarball.staged.discard();
    throw new NpmError(400, "publish a version at the package's name, without -rev");
  }
  const versions = versionsOf(publication);
  const tags = Object.entries(record(body["dist-tags"]));
  for (const [tag] of tags) checkDistTag(tag);
  const owner = packageOf(request, name);
  mustBeCurrent(owner, rev);
  // Nothing is awaited from the comparison of the revision to the last write, so no other request
  // comes between.
  const before = shownTags(deps.db, owner.id);
  const gone = versionNames(deps.db, owner.id).filter(
    (version) => !versions.has(version),
  );
  deleteNpmVersions(deps.db, repository, name, gone, deps.now());
  const left = findPackage(deps.db, repository.id, name);
  if (left) {
    const wanted = new Map<string, string | null>(
      tags.flatMap(([tag, version]) =>
        typeof version === "string" && before.get(tag) !== version
          ? [[tag, version]]
          : [],
      ),
    );
    for (const tag of before.keys())
      if (tag !== "latest" && !tags.some(([kept]) => kept === tag)) wanted.set(tag, null);
    write(deps.db, (tx) =>
      changeDistTags(tx, repository, left, wanted, by(request.c, request.deps)),
    );
  }
  await durable(deps.db);
  return done(request, name, 200);
}

/**
 * Carries out `npm unpublish` of a whole package; throws 409 if the package was changed meanwhile.
 */
export async function deleteRevision(
  request: NpmRequest,
  name: string,
  rev: string,
): Promise<Response> {
  const { deps, repository } = request;
  mustBeCurrent(packageOf(request, name), rev);
  deleteNpmPackage(deps.db, repository, name, deps.now());
  await durable(deps.db);
  return done(request, name, 200);
}

/**
 * Answers the last step of `npm unpublish` of a version, which has deleted the tarball before.
 * Deletes nothing; throws 409 if the tarball still belongs to a version.
 */
export async function deleteTarball(
  request: NpmRequest,
  name: string,
  file: string,
): Promise<Response> {
  const { deps, repository } = request;
  const path = filePath(name, file);
  const owner = findPackage(deps.db, repository.id, name);
  const version = owner ? versionOfTarball(deps.db, owner.id, path) : null;
  if (version !== null)
    throw new NpmError(
      409,
      `${file} is the tarball of ${name}@${version}: unpublish that version first`,
    );
  return done(request, name, 200);
}

function mustBeCurrent(owner: PackageRow, rev: unknown): void {
  if (rev !== undefined && rev !== revisionOf(owner))
    throw new NpmError(
      409,
      `${owner.name} was changed meanwhile: fetch its document again (?write=true) and repeat the change`,
    );
}

/** Parses JSON that is a string; throws 400 for anything else. */
export function parseText(json: Buffer): string {
  const value = parseJson(json, LIMITS.facts);
  if (value === NOT_JSON) throw new NpmError(400, "the body is not valid JSON");
  if (typeof value !== "string")
    throw new NpmError(400, "the body must be a version as a JSON string");
  return value;
}

export function done(
  { c, deps, repository }: NpmRequest,
  name: string,
  status: 200 | 201,
): Response {
  const owner = findPackage(deps.db, repository.id, name);
  return c.json(
    { ok: true, id: name, ...(owner ? { rev: revisionOf(owner) } : {}) },
    status,
  );
}
