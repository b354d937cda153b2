import { hash } from "node:crypto";
import { isChecksum, mavenPackage, parseMavenPath, versionDigest } from "../../domain/maven.ts";
import { isDistTag, isNpmName, tarballFile, tarballPath } from "../../domain/npm.ts";
import { isNpmVersion } from "../../domain/npm-version.ts";
import { parsePath, PathError } from "../../domain/path.ts";
import type { StatedType, StatedVersion, VersionAnswer } from "../../domain/sync-versions.ts";

type Refusal = Extract<VersionAnswer, { result: "refused" }>;

const refused = (code: number, message: string): Refusal => ({ result: "refused", code, message });

/** Why a version cannot be, whatever is there: hostile paths, files of another version, a digest that is not theirs. */
export function judgeVersion(type: StatedType, version: StatedVersion): Refusal | undefined {
  for (const { path } of version.files) {
    const problem = pathProblem(path);
    if (problem !== null) return refused(251011, problem);
  }
  return type === "MAVEN" ? judgeMaven(version) : judgeNpm(version);
}

function pathProblem(path: string): string | null {
  try {
    return parsePath(path) === path ? null : "a path begins with a slash";
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
}

function judgeMaven({ package: name, version, digest, files }: StatedVersion): Refusal | undefined {
  const stranger = files.find(({ path }) => {
    const file = isChecksum(path) ? null : parseMavenPath(path);
    return file === null || mavenPackage(file) !== name || file.version !== version;
  });
  if (stranger) return refused(251011, `${stranger.path} is no file of version ${version} of ${name}`);
  const found = versionDigest(files, (text) => hash("sha256", text));
  return found === digest ? undefined : refused(251003, `its files make the digest ${found}, not ${digest} as stated`);
}

function judgeNpm({ package: name, version, digest, files, document, distTags }: StatedVersion): Refusal | undefined {
  if (!isNpmName(name)) return refused(250105, `${JSON.stringify(name)} is no name of an npm package`);
  if (!isNpmVersion(version)) return refused(250105, `${JSON.stringify(version)} is no version of an npm package`);
  const tag = distTags.find((each) => !isDistTag(each));
  if (tag !== undefined) return refused(250105, `${JSON.stringify(tag)} is no dist-tag`);
  const path = tarballPath(name, tarballFile(name, version));
  const [tarball] = files;
  if (tarball?.path !== path || files.length > 1) return refused(251011, `the one file of ${name}@${version} is ${path}`);
  if (document === null) return refused(250106, `${name}@${version} has no document`);
  return digest === `sha256:${tarball.sha256}` ? undefined : refused(251003, `its tarball has the digest sha256:${tarball.sha256}, not ${digest} as stated`);
}
