import { durable } from "../../../db/durable.ts";
import { write } from "../../../db/open.ts";
import { changeDistTags } from "../../../db/packages/npm/change.ts";
import { shownTags } from "../../../db/packages/npm/find.ts";
import { findVersion } from "../../../db/packages/versions.ts";
import { by } from "../../http/by.ts";
import { wholeBody } from "../../http/body.ts";
import { done, parseText } from "./change.ts";
import { NpmError } from "./errors.ts";
import { checkDistTag } from "./publish.ts";
import { type NpmRequest, packageOf } from "./request.ts";

const LONGEST_BODY = 4096;

/** Answers `npm dist-tag ls` with the dist-tags of a package. */
export async function getTags(request: NpmRequest, name: string): Promise<Response> {
  const { c, deps } = request;
  return c.json(
    Object.fromEntries(shownTags(deps.db, packageOf(request, name).id)),
    200,
    {
      "cache-control": "no-cache",
    },
  );
}

/**
 * Carries out `npm dist-tag add`: the body is the version as a JSON string; throws 404 if it does
 * not exist.
 */
export async function putTag(
  request: NpmRequest,
  name: string,
  tag: string,
): Promise<Response> {
  const { c, deps } = request;
  checkDistTag(tag);
  const version = parseText(await wholeBody(c, LONGEST_BODY));
  if (!findVersion(deps.db, packageOf(request, name).id, version))
    throw new NpmError(404, `${name} has no version ${version.slice(0, 250)}`);
  return change(request, name, tag, version, 201);
}

/**
 * Carries out `npm dist-tag rm`: deletes a dist-tag; throws 403 for `latest`, 404 for an unknown
 * one.
 */
export async function deleteTag(
  request: NpmRequest,
  name: string,
  tag: string,
): Promise<Response> {
  if (tag === "latest")
    throw new NpmError(
      403,
      "the dist-tag latest cannot be removed: move it to another version",
    );
  if (!shownTags(request.deps.db, packageOf(request, name).id).has(tag))
    throw new NpmError(404, `${name} has no dist-tag ${tag.slice(0, 250)}`);
  return change(request, name, tag, null, 200);
}

async function change(
  request: NpmRequest,
  name: string,
  tag: string,
  version: string | null,
  status: 200 | 201,
): Promise<Response> {
  const { deps, repository } = request;
  write(deps.db, (tx) =>
    changeDistTags(
      tx,
      repository,
      packageOf(request, name),
      new Map([[tag, version]]),
      by(request.c, request.deps),
    ),
  );
  await durable(deps.db);
  return done(request, name, status);
}
