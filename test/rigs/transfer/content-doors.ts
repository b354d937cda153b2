import type { ApiDeps } from "../../../api/deps.ts";
import { FILES_MEDIA_TYPE, SYNC_PREFIX } from "../../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE } from "../../../domain/sync-versions.ts";
import { pathOf, publication } from "../servers/npm-publication.ts";
import { sha256 } from "../api/content-fixture.ts";
import {
  type createClient,
  type Images,
  startImages,
  withDigest,
} from "../api/oci-server-fixture.ts";
import { frameFiles, statedFile } from "./file-statement-fixture.ts";
import { frame, npmVersion } from "./package-copy-fixture.ts";

/**
 * A way in which a content comes into the store. `push` resolves with the status of the answer; `get`
 * downloads the content. `asks`: the door's question whether the content is there, answered with true if
 * nobody need send it. `always`: the bytes are sent whatever is there.
 */
export type Door = {
  name: string;
  push: (bytes: Buffer) => Promise<number>;
  get: (bytes: Buffer) => Promise<{ status: number; bytes: Buffer }>;
  asks: (bytes: Buffer) => Promise<boolean>;
  always: boolean;
};

/**
 * Starts the API on a socket, with a repository of each type in the project team. `doors` returns doors to
 * places of their own, by a name in lower case.
 */
export async function startDoors(overrides: Partial<ApiDeps> = {}) {
  const api = await startImages(overrides);
  for (const [name, type] of [
    ["maven", "MAVEN"],
    ["npm", "NPM"],
  ])
    await api.call("POST", "/repository/api/repo/create", {
      body: { projectId: "team", name, type },
    });
  return { ...api, doors: (place: string) => doorsOf(api, place) };
}

const json = { "content-type": "application/json" };

function doorsOf({ http, begin }: Images, place: string): Door[] {
  const path = `/${place}/file.bin`;
  const fileAt = `/generic/team/files${path}`;
  const jar = `/maven/team/maven/org/example/${place}/1.0/${place}-1.0.jar`;
  const tarball = `/npm/team/npm/${place}/-/${place}-1.0.0.tgz`;
  const app = `team/images/${place}`;
  const other = `team/docker/${place}`;
  const put = async (path: string, body: Buffer, headers = {}) =>
    (await http("PUT", path, { body, headers })).status;
  const isThere = async (path: string) => (await http("HEAD", path)).status === 200;
  const blobOf = (bytes: Buffer, image = app) =>
    `/v2/${image}/blobs/sha256:${sha256(bytes)}`;
  const file = { get: () => http("GET", fileAt), asks: () => isThere(fileAt) };
  const blob = {
    get: (bytes: Buffer) => http("GET", blobOf(bytes)),
    asks: (bytes: Buffer) => isThere(blobOf(bytes)),
  };
  const stated = (bytes: Buffer, attached: boolean) =>
    state(http, statedFile(bytes, { path, attached }), attached ? bytes : null);
  return [
    {
      name: "an upload that overwrites",
      always: true,
      push: (bytes) => put(fileAt, bytes, { "x-bkrepo-overwrite": "true" }),
      ...file,
    },
    {
      name: "a deployment of Maven",
      always: true,
      push: (bytes) => put(jar, bytes),
      get: () => http("GET", jar),
      asks: () => isThere(jar),
    },
    {
      name: "a publication of npm",
      always: true,
      push: async (bytes) => {
        const body = JSON.stringify(publication(place, "1.0.0", bytes));
        return (
          await http("PUT", `/npm/team/npm${pathOf(place)}`, { body, headers: json })
        ).status;
      },
      get: () => http("GET", tarball),
      asks: () => isThere(tarball),
    },
    {
      name: "a blob of an image in one request",
      always: true,
      push: async (bytes) => {
        const path = `/v2/${app}/blobs/uploads/?digest=sha256:${sha256(bytes)}`;
        return (await http("POST", path, { body: bytes })).status;
      },
      ...blob,
    },
    {
      name: "a blob of an image in chunks",
      always: true,
      push: async (bytes) => {
        const at = await begin(app);
        const half = Math.floor(bytes.length / 2);
        const next = await http("PATCH", at, { body: bytes.subarray(0, half) });
        const end = withDigest(
          next.headers.get("location") ?? "",
          `sha256:${sha256(bytes)}`,
        );
        return (await http("PUT", end, { body: bytes.subarray(half) })).status;
      },
      ...blob,
    },
    {
      name: "a mount of a blob",
      always: false,
      push: async (bytes) => {
        const digest = `sha256:${sha256(bytes)}`;
        if ((await http("HEAD", blobOf(bytes, other))).status !== 200)
          await http("POST", `/v2/${other}/blobs/uploads/?digest=${digest}`, {
            body: bytes,
          });
        const mount = `/v2/${app}/blobs/uploads/?mount=${digest}&from=${other}`;
        return (await http("POST", mount)).status;
      },
      ...blob,
    },
    {
      name: "a file that another instance declares",
      always: true,
      push: async (bytes) => (await stated(bytes, true)).status,
      get: file.get,
      asks: async (bytes) =>
        ["same", "made"].includes((await stated(bytes, false)).result),
    },
    {
      name: "an upload of another instance",
      always: false,
      push: async (bytes) => {
        const claim = { sha256: sha256(bytes), size: bytes.length };
        const session = await open(http, claim);
        if (!session.done) await sendAll(http, session.id, bytes, claim);
        return (await stated(bytes, false)).status;
      },
      get: file.get,
      asks: async (bytes) => (await open(http, { sha256: sha256(bytes) })).done,
    },
    {
      name: "a version that another instance declares",
      always: true,
      push: async (bytes) => (await version(http, place, bytes, true)).status,
      get: () => http("GET", tarball),
      asks: async (bytes) =>
        ["same", "made"].includes((await version(http, place, bytes, false)).result),
    },
  ];
}

type Http = ReturnType<typeof createClient>["http"];
type Answer = { data: Record<string, unknown> };

async function state(
  http: Http,
  file: ReturnType<typeof statedFile>,
  content: Buffer | null,
) {
  const answer = await http("POST", `${SYNC_PREFIX}/files/team/files`, {
    body: frameFiles([file], content ? [content] : [], { conflictStrategy: "OVERWRITE" }),
    headers: { "content-type": FILES_MEDIA_TYPE },
  });
  const { files } = (answer.json as Answer).data as { files: { result: string }[] };
  return { status: answer.status, result: files[0]?.result ?? "" };
}

async function version(http: Http, name: string, bytes: Buffer, attached: boolean) {
  const answer = await http("POST", `${SYNC_PREFIX}/versions/team/npm`, {
    body: frame(
      "NPM",
      [npmVersion(name, "1.0.0", { tarball: bytes }).stated],
      attached ? [bytes] : [],
    ),
    headers: { "content-type": VERSIONS_MEDIA_TYPE },
  });
  const { versions } = (answer.json as Answer).data as { versions: { result: string }[] };
  return { status: answer.status, result: versions[0]?.result ?? "" };
}

async function open(http: Http, claim: Record<string, unknown>) {
  const answer = await http("POST", `${SYNC_PREFIX}/uploads`, {
    body: JSON.stringify(claim),
    headers: json,
  });
  return (answer.json as Answer).data as { id: string; done: boolean };
}

async function sendAll(
  http: Http,
  id: string,
  bytes: Buffer,
  claim: Record<string, unknown>,
) {
  const headers = { "content-type": "application/octet-stream", "upload-offset": "0" };
  await http("PATCH", `${SYNC_PREFIX}/uploads/${id}`, { body: bytes, headers });
  await http("PUT", `${SYNC_PREFIX}/uploads/${id}`, {
    body: JSON.stringify(claim),
    headers: json,
  });
}
