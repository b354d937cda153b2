import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { BUDGETS as DEFAULTS } from "../../domain/budgets.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../domain/image/media-types.ts";
import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { closeServers, serve } from "../registries/http-rig.ts";
import { sha256 } from "../rigs/servers/images.ts";
import { copy, openEnds } from "../rigs/transfer/image-fixture.ts";

afterEach(closeServers);

const BUDGETS = { ...DEFAULTS, maxTags: 2_000 };
const MIB = 1024 * 1024;

type Document = { digest: string; mediaType: string; bytes: Buffer };

function documentOf(json: Record<string, unknown>): Document {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...json }));
  return { digest: sha256(bytes), mediaType: String(json["mediaType"]), bytes };
}

const descriptorOf = ({ digest, mediaType, bytes }: Document) => ({
  mediaType,
  digest,
  size: bytes.length,
});

/** A manifest without blobs. */
const leaf = (name: string, subject?: string): Document =>
  documentOf({
    mediaType: OCI_MANIFEST,
    annotations: { name },
    ...(subject === undefined ? {} : { subject: { digest: subject } }),
  });

/** An index; `filler`: how many bytes it has beside its entries. */
const indexOf = (manifests: readonly Document[], filler = 0): Document =>
  documentOf({
    mediaType: OCI_INDEX,
    manifests: manifests.map(descriptorOf),
    annotations: { filler: "x".repeat(filler) },
  });

/** Wraps a document into indexes, one in the other, and returns all, the outermost last. */
const nest = (document: Document, levels: number): Document[] => {
  const documents = [document];
  for (let level = 0; level < levels; level += 1)
    documents.push(indexOf(documents.slice(-1)));
  return documents;
};

type Referrers = (subject: string) => { digest: string }[];

/**
 * Starts a source with these documents and tags; `lists` are the subjects whose attachments it was asked for, `asked`
 * the manifests.
 */
async function startSource(
  documents: Map<string, Document>,
  referrers: Referrers = () => [],
) {
  const lists: string[] = [];
  const asked: string[] = [];
  const url = await serve(({ url: path = "", method }, response) => {
    const reference = path.split("/").at(-1) ?? "";
    if (path === "/v2/") return void response.end("{}");
    if (path.includes("/tags/list"))
      return void response.end(JSON.stringify({ tags: ["latest"] }));
    if (path.includes("/referrers/")) {
      lists.push(reference);
      const manifests = referrers(reference).map((each) => ({
        mediaType: OCI_MANIFEST,
        size: 1,
        ...each,
      }));
      return void response.end(JSON.stringify({ mediaType: OCI_INDEX, manifests }));
    }
    asked.push(reference);
    answerManifest(documents.get(reference), method, response);
  });
  return { url, lists, asked };
}

function answerManifest(
  found: Document | undefined,
  method: string | undefined,
  response: ServerResponse,
): void {
  if (found === undefined) return void response.writeHead(404).end();
  response
    .setHeader("content-type", found.mediaType)
    .setHeader("docker-content-digest", found.digest)
    .setHeader("content-length", found.bytes.length)
    .end(method === "HEAD" ? undefined : found.bytes);
}

/** Starts a target that accepts every manifest, once `seen`, which is told of each request for one, has ended. */
async function startTarget(
  seen: (method: string, reference: string) => Promise<void> | void = () => {},
) {
  const stored = new Map<string, Document>();
  const url = await serve(async (request, response) => {
    const { url: path = "", method = "" } = request;
    const reference = path.split("/").at(-1) ?? "";
    if (path === "/v2/") return void response.end("{}");
    if (path.includes("/referrers/"))
      return void response.end(JSON.stringify({ mediaType: OCI_INDEX, manifests: [] }));
    await seen(method, reference);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    if (method !== "PUT") return answerManifest(stored.get(reference), method, response);
    const bytes = Buffer.concat(await request.toArray());
    const mediaType = request.headers["content-type"] ?? "";
    const document = { digest: sha256(bytes), mediaType, bytes };
    for (const key of [reference, document.digest]) stored.set(key, document);
    response.writeHead(201, { "docker-content-digest": document.digest }).end();
  });
  return { url, stored };
}

const known = (...documents: Document[]) =>
  new Map(documents.map((each) => [each.digest, each]));

/** Copies images; those of one group at once, and with the memory of the groups before. */
async function copyBetween(source: string, target: string, ...groups: string[][]) {
  const ends = openEnds({ url: source, budgets: BUDGETS }, target);
  const outcomes: ArtifactOutcome[][] = [];
  try {
    for (const tags of groups)
      outcomes.push(
        await Promise.all(tags.map((tag) => copy({ ...ends, name: "app", tag }))),
      );
    return outcomes;
  } finally {
    await ends.close();
  }
}

describe("attachments without end", () => {
  const image = leaf("image");
  const withTag = () => known(image).set("latest", image);

  test("an attachment that the source lists but does not have is not followed", async () => {
    let fresh = 0;
    const source = await startSource(withTag(), () => [
      { digest: sha256(Buffer.from(`fresh ${(fresh += 1)}`)) },
    ]);
    const target = await startTarget();
    const [[outcome] = []] = await copyBetween(source.url, target.url, ["latest"]);
    expect(outcome?.result).toEqual({ kind: "sent" });
    expect(source.lists).toEqual([image.digest]);
  });

  test("attachments of attachments without end fail the image for good", async () => {
    const documents = withTag();
    const source = await startSource(documents, (subject) => {
      const attached = leaf("attached", subject);
      documents.set(attached.digest, attached);
      return [attached];
    });
    const target = await startTarget();
    const [[outcome] = []] = await copyBetween(source.url, target.url, ["latest"]);
    expect(outcome?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining(
        "attachments of attachments at more than the 8 levels",
      ),
    });
    expect(source.lists).toHaveLength(9);
  });

  test("all lists of attachments of one image together have a limit, which names its setting", async () => {
    const children = Array.from({ length: 50 }, (_, at) => leaf(`child ${at}`));
    const index = indexOf(children);
    const documents = known(index, ...children).set("latest", index);
    let fresh = 0;
    const source = await startSource(documents, () =>
      Array.from({ length: 100 }, () => ({
        digest: sha256(Buffer.from(`fresh ${(fresh += 1)}`)),
      })),
    );
    const target = await startTarget();
    const [[outcome] = []] = await copyBetween(source.url, target.url, ["latest"]);
    expect(outcome?.result).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(
        /more than 2000 attachments for one image \(setting MAX_TAGS\)/,
      ),
    });
    // 20 lists are within the limit; four subjects are asked for at a time.
    expect(source.lists.length).toBeLessThan(26);
  });
});

describe("indexes within indexes", () => {
  const chain = nest(leaf("innermost"), 12);
  const documents = known(...chain);
  const tagged = (levels: number) => {
    const index = chain[levels];
    if (index !== undefined) documents.set(`levels-${levels}`, index);
    return `levels-${levels}`;
  };

  test("an image with too many levels of indexes fails for good, others with its indexes do not", async () => {
    const source = await startSource(documents);
    const target = await startTarget();
    const deep = [9, 12].map(tagged);
    const fine = [8, 7].map(tagged);
    const [first, second] = await copyBetween(source.url, target.url, deep, fine);
    const tooDeep = {
      kind: "failed",
      reason: expect.stringContaining("lies below 8 other indexes"),
    };
    for (const { result } of first ?? []) expect(result).toMatchObject(tooDeep);
    for (const { result } of second ?? []) expect(result).toEqual({ kind: "sent" });
  });
});

describe("large manifests", () => {
  const tags = Array.from({ length: 6 }, (_, at) => `v${at}`);

  test("a process holds the large manifests of one image at a time", async () => {
    const owners = new Map<string, string>();
    const documents = new Map<string, Document>();
    for (const tag of tags) {
      const child = leaf(tag);
      const index = indexOf([child], 2 * MIB);
      owners.set(child.digest, tag);
      for (const each of [child, index]) documents.set(each.digest, each);
      documents.set(tag, index);
    }
    const source = await startSource(documents);
    const copied: string[] = [];
    const held = new Set<string>();
    let most = 0;
    // A copy holds its index from the question for the child until it writes the tag.
    const target = await startTarget((method, reference) => {
      const owner = owners.get(reference);
      if (owner !== undefined) held.add(owner);
      most = Math.max(most, held.size);
      if (method !== "PUT" || !tags.includes(reference)) return;
      held.delete(reference);
      copied.push(reference);
    });
    const [outcomes] = await copyBetween(source.url, target.url, tags);
    expect(outcomes?.map(({ result }) => result)).toEqual(
      tags.map(() => ({ kind: "sent" })),
    );
    expect(copied.toSorted()).toEqual(tags);
    expect(most).toBe(1);
  });

  test("an image that is stopped while it waits for its turn ends at once and holds up no other", async () => {
    const documents = new Map<string, Document>();
    for (const tag of ["first", "stopped", "last"]) {
      const index = indexOf([leaf(tag)], 2 * MIB);
      for (const each of [leaf(tag), index]) documents.set(each.digest, each);
      documents.set(tag, index);
    }
    const source = await startSource(documents);
    const gate = new AbortController();
    let reached = false;
    const target = await startTarget(async (_method, reference) => {
      if (reference !== leaf("first").digest) return;
      reached = true;
      if (!gate.signal.aborted) await once(gate.signal, "abort");
    });
    const ends = openEnds(source.url, target.url);
    const first = copy({ ...ends, name: "app", tag: "first" });
    await expect.poll(() => reached).toBe(true);
    const stop = new AbortController();
    const options = { ...ends, name: "app", signal: stop.signal };
    const stopped = copy({ ...options, tag: "stopped" }).catch((error: unknown) => error);
    const last = copy({ ...ends, name: "app", tag: "last" });
    await expect
      .poll(() => source.asked.filter((tag) => tag === "stopped").length)
      .toBe(1);
    for (let turns = 0; turns < 50; turns += 1) await turn();
    stop.abort();
    expect(await stopped).toMatchObject({ kind: "cancelled" });
    expect(target.stored.size).toBe(0);
    gate.abort();
    for (const outcome of [await first, await last])
      expect(outcome.result).toEqual({ kind: "sent" });
    await ends.close();
  });

  test("images that share large indexes do not wait for each other without end", async () => {
    const shared = [0, 1, 2].map((at) => indexOf([leaf(`shared ${at}`)], 2 * MIB));
    const documents = known(...shared, ...[0, 1, 2].map((at) => leaf(`shared ${at}`)));
    for (const [at, tag] of tags.entries()) {
      const turned = [...shared.slice(at % 3), ...shared.slice(0, at % 3)];
      const index = indexOf([...turned, leaf("shared 0")], at);
      documents.set(index.digest, index).set(tag, index);
    }
    const source = await startSource(documents);
    const target = await startTarget();
    const [outcomes] = await copyBetween(source.url, target.url, tags);
    expect(outcomes?.map(({ result }) => result)).toEqual(
      tags.map(() => ({ kind: "sent" })),
    );
    for (const { digest } of shared) expect(target.stored.has(digest)).toBe(true);
  });
});
