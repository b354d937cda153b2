import type { Context } from "hono";
import { isNpmName } from "../../../domain/npm/package.ts";
import type { Env } from "../../deps.ts";
import { rawPath } from "../../http/request-path.ts";
import { NpmError } from "./errors.ts";

/**
 * The thing that a request addresses. `service`: an address below `/-/`, other than those of
 * dist-tags.
 */
export type Address =
  | { kind: "root" }
  | { kind: "service"; path: string }
  | { kind: "tags"; name: string }
  | { kind: "tag"; name: string; tag: string }
  | { kind: "package"; name: string }
  | { kind: "revision"; name: string; rev: string }
  | { kind: "version"; name: string; version: string }
  | { kind: "tarball"; name: string; file: string }
  | { kind: "tarballRevision"; name: string; file: string; rev: string };

type Place = { projectId: string; repoName: string; address: Address };

/**
 * Parses `/npm/{project}/{repository}/…` from the raw request line; throws NpmError for any other
 * path. Clients send names with a scope as `@s/n` or as `@s%2fn`.
 */
export function placeOf(c: Context<Env>): Place {
  const [, , projectId = "", repoName = "", ...rest] = rawPath(c).split("/").map(decode);
  if (rest.at(-1) === "") rest.pop();
  return { projectId, repoName, address: addressOf(rest) };
}

function addressOf(segments: string[]): Address {
  const [first] = segments;
  if (first === undefined) return { kind: "root" };
  if (first === "-") return serviceOf(segments.slice(1));
  const { name, rest } = takeName(segments);
  const [a, b, c, d] = rest;
  if (a === undefined) return { kind: "package", name };
  if (a === "-rev" && b !== undefined && c === undefined)
    return { kind: "revision", name, rev: b };
  if (a === "-" && b !== undefined && c === undefined)
    return { kind: "tarball", name, file: b };
  if (
    a === "-" &&
    b !== undefined &&
    c === "-rev" &&
    d !== undefined &&
    rest.length === 4
  )
    return { kind: "tarballRevision", name, file: b, rev: d };
  if (b === undefined) return { kind: "version", name, version: a };
  throw new NpmError(
    404,
    `there is nothing at ${shown(segments.join("/"))}: check the address of the registry`,
  );
}

function serviceOf(segments: string[]): Address {
  if (segments[0] !== "package") return { kind: "service", path: segments.join("/") };
  const { name, rest } = takeName(segments.slice(1));
  const [what, tag] = rest;
  if (what !== "dist-tags" || rest.length > 2)
    return { kind: "service", path: ["package", ...rest].join("/") };
  return tag === undefined ? { kind: "tags", name } : { kind: "tag", name, tag };
}

function takeName(segments: string[]): { name: string; rest: string[] } {
  const [first = "", second] = segments;
  const inTwo = first.startsWith("@") && !first.includes("/") && second !== undefined;
  const name = inTwo ? `${first}/${second}` : first;
  if (!isNpmName(name))
    throw new NpmError(400, `${shown(name)} is not a valid name of a package`);
  return { name, rest: segments.slice(inTwo ? 2 : 1) };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new NpmError(400, `${shown(segment)} is not percent-encoded UTF-8`, {
      cause: error,
    });
  }
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 250));
