import { createHash } from "node:crypto";
import type { Context } from "hono";
import type { Staged } from "../../../activities/store/stage.ts";
import { NOT_JSON } from "../../../domain/foreign/json.ts";
import { LIMITS, OverLimit } from "../../../domain/foreign/limits.ts";
import { type Members, sliceJson } from "../../../domain/foreign/slices.ts";
import { turn } from "../../../db/turns.ts";
import { isRecord, record } from "../../../domain/json.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { bodyOf, lengthOf } from "../../http/body.ts";
import { NpmError } from "./errors.ts";
import { createScanner, type Piece, type Scanner } from "./scan.ts";

/**
 * Maximum bytes of a body besides the tarball: `npm deprecate` sends the whole packument, which may
 * have thousands of versions.
 */
const MAX_METADATA = LIMITS.packument.bytes;
const MOST_VERSIONS = 100_000;

/**
 * A tarball that was received completely, with its hashes as npm writes them (sha1 in hex, sha512
 * in base64).
 */
export type Tarball = { file: string; staged: Staged; sha1: string; sha512: string };

/**
 * The body of a PUT: the metadata, and the tarball if one came with it. Whoever does not commit the tarball must
 * discard it.
 */
export type Publication = {
  body: Record<string, unknown>;
  /** The documents of the versions; null when the body has none. */
  versions: Members | null;
  tarball: Tarball | null;
};

type Deps = Pick<ApiDeps, "store" | "maxUpload">;

/**
 * Reads the body of a PUT of a package; a tarball goes into the staging area of the store while it
 * arrives. Throws NpmError for a body that is not valid or too long.
 */
export async function readPublication(c: Context<Env>, deps: Deps): Promise<Publication> {
  const length = lengthOf(c) ?? 0;
  refuseTooLong(length, deps.maxUpload);
  const scanner = createScanner(MAX_METADATA);
  const pieces = piecesOf(
    scanner,
    c.get("hold"),
    bodyOf(c).iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>,
  );
  let tarball: Tarball | null = null;
  try {
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      if (next.value.kind !== "begin") continue;
      mayCome(next.value.file, tarball);
      // Base64 has 4 characters for 3 bytes.
      const atMost = Math.floor((length / 4) * 3);
      tarball = await stageTarball(deps, next.value.file, pieces, atMost);
    }
    return { ...(await parsePackument(scanner.text())), tarball };
  } catch (error) {
    await tarball?.staged.discard();
    throw error;
  }
}

function refuseTooLong(length: number, maxUpload: number | null): void {
  if (maxUpload !== null && length > Math.ceil(maxUpload / 3) * 4 + MAX_METADATA)
    throw new NpmError(
      413,
      `a tarball may have at most ${maxUpload} bytes (setting MAX_UPLOAD)`,
    );
}

function mayCome(file: string, before: Tarball | null): void {
  if (file.endsWith(".sigstore"))
    throw new NpmError(
      400,
      "provenance statements are not supported here: publish with --provenance=false",
    );
  if (before !== null)
    throw new NpmError(
      400,
      "the publication has more than one attachment: a version has one tarball",
    );
}

async function* piecesOf(
  scanner: Scanner,
  hold: (bytes: number) => void,
  body: AsyncIterable<Buffer>,
): AsyncGenerator<Piece, void> {
  for await (const chunk of body) {
    const pieces = scanner.feed(chunk);
    const passed = pieces.map((piece) =>
      piece.kind === "bytes" ? piece.bytes.length : 0,
    );
    // What is not passed on as content of the tarball is kept.
    hold(chunk.length - passed.reduce((sum, bytes) => sum + bytes, 0));
    yield* pieces;
  }
}

async function stageTarball(
  { store, maxUpload }: Deps,
  file: string,
  pieces: AsyncGenerator<Piece, void>,
  length: number,
): Promise<Tarball> {
  const [sha1, sha512] = [createHash("sha1"), createHash("sha512")];
  async function* hashed() {
    for await (const content of decoded(contentOf(pieces))) {
      sha1.update(content);
      sha512.update(content);
      yield content;
    }
  }
  const staged = await store.stage(hashed(), {
    maxBytes: maxUpload ?? undefined,
    length,
  });
  return { file, staged, sha1: sha1.digest("hex"), sha512: sha512.digest("base64") };
}

/**
 * Yields the bytes of the attachment that has begun, up to its end; throws 400 if the body ends
 * before.
 */
async function* contentOf(
  pieces: AsyncGenerator<Piece, void>,
): AsyncGenerator<Buffer, void> {
  for (let next = await pieces.next(); ; next = await pieces.next()) {
    if (next.done) throw new NpmError(400, "the body ends within the tarball");
    if (next.value.kind === "end") return;
    if (next.value.kind === "bytes") yield next.value.bytes;
  }
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Decodes base64; throws 400 for invalid text, which Node's own decoder skips. */
async function* decoded(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let rest = "";
  let padded = false;
  for await (const bytes of pieces) {
    const text = rest + bytes.toString("latin1");
    const whole = text.slice(0, text.length - (text.length % 4));
    rest = text.slice(whole.length);
    if (text !== "" && (padded || !BASE64.test(whole))) throw notBase64();
    padded = whole.endsWith("=");
    if (whole !== "") yield Buffer.from(whole, "base64");
  }
  if (rest !== "") throw notBase64();
}

const notBase64 = () => new NpmError(400, "the attached tarball is not valid base64");

async function parsePackument(
  document: Buffer,
): Promise<Pick<Publication, "body" | "versions">> {
  const { rest, members } = await sliceJson(document, {
    field: "versions",
    rest: LIMITS.packument,
    member: LIMITS.version,
    most: MOST_VERSIONS,
    pause: () => turn("answer"),
  }).catch((error: unknown) => {
    throw error instanceof OverLimit ? tooMuch(error) : error;
  });
  if (rest === NOT_JSON) throw new NpmError(400, "the body is not valid JSON");
  if (!isRecord(rest)) throw new NpmError(400, "the body is not a JSON object");
  return { body: rest, versions: isRecord(rest["versions"]) ? members : null };
}

/** Returns the document of a version; {} when it is no object. Throws 400 or 413 for one that cannot be read. */
export function documentOf(versions: Members, version: string): Record<string, unknown> {
  try {
    const document = versions.get(version);
    if (document === NOT_JSON) throw new NpmError(400, "the body is not valid JSON");
    return record(document);
  } catch (error) {
    if (!(error instanceof OverLimit)) throw error;
    throw new NpmError(
      413,
      `the document of the version ${version} cannot be read: ${error.message}: shorten the readme or package.json`,
    );
  }
}

const tooMuch = ({ message }: OverLimit): NpmError =>
  new NpmError(413, `the metadata cannot be read: ${message}: shorten it`);
