import { createInstanceClient } from "../../activities/registries/instance/client.ts";
import { openLister } from "../../activities/registries/npm/lister.ts";
import { openSource } from "../../activities/registries/npm/source.ts";
import {
  createOciRegistry,
  type OciRegistry,
} from "../../activities/registries/oci/registry.ts";
import type { Digest } from "../../domain/digest.ts";
import type { End } from "../../activities/registries/contract.ts";

/** What a hostile end answers: a whole answer, or (`hostile`) its status before a hostile body. */
type Reply =
  | { status: number; body: string; headers?: Record<string, string> }
  | { hostile: number };

/** A place at which an answer of a foreign end is parsed. */
type Place = {
  what: string;
  /** The field of the answer that is hostile. */
  field: string;
  /** How the end answers a path (`url`: the end's own address). */
  reply: (path: string, url: string) => Reply;
  ask: (url: string) => Promise<unknown>;
};

const signal = new AbortController().signal;
const DIGEST: Digest = `sha256:${"a".repeat(64)}`;
const end = (url: string): End => ({
  url,
  namespace: "",
  username: null,
  password: null,
  token: null,
});

const greets = (path: string): Reply =>
  path === "/v2/" ? { status: 200, body: "{}" } : { hostile: 200 };

async function atRegistry(
  url: string,
  ask: (registry: OciRegistry) => Promise<unknown>,
): Promise<unknown> {
  const login = { username: "alice", password: "a-password-of-hers" };
  const registry = createOciRegistry({ url, ...login });
  return ask(registry).finally(() => registry.close());
}

const list = async (url: string) => {
  const lister = openLister(end(url));
  return lister
    .list({ packages: [], paths: [] }, null, signal)
    .finally(() => lister.close());
};
const listOne = async (url: string) => {
  const lister = openLister(end(url));
  const packages = [{ packageKey: "npm://pkg", versions: null }];
  return lister.list({ packages, paths: [] }, null, signal).finally(() => lister.close());
};
async function describeOne(url: string): Promise<unknown> {
  const source = openSource(end(url));
  const [found] = await source
    .describe([{ name: "pkg", version: "1.0.0" }], signal)
    .finally(() => source.close());
  if (found instanceof Error) throw found;
  return found;
}
const PACKUMENT = JSON.stringify({ name: "pkg", versions: { "1.0.0": { dist: {} } } });

async function atInstance(
  url: string,
  ask: (client: ReturnType<typeof createInstanceClient>) => Promise<unknown>,
): Promise<unknown> {
  const client = createInstanceClient(end(url));
  return ask(client).finally(() => client.close());
}
const HOOKS = {
  signal,
  throttle: async (bytes: number) => bytes,
  onBytes: () => undefined,
};
const REMOTE = { projectId: "p", repoName: "r" };
const RULES = { conflictStrategy: "SKIP", includeMetadata: true } as const;

export const PLACES: Place[] = [
  {
    what: "the tags of an image",
    field: "tags",
    reply: greets,
    ask: (url) => atRegistry(url, ({ listTags }) => listTags("app", null)),
  },
  {
    what: "the catalog of a registry",
    field: "repositories",
    reply: greets,
    ask: (url) => atRegistry(url, ({ listRepositories }) => listRepositories(null)),
  },
  {
    what: "a manifest",
    field: "layers",
    reply: greets,
    ask: (url) => atRegistry(url, ({ getManifest }) => getManifest("app", "v1")),
  },
  {
    what: "a list of attachments",
    field: "manifests",
    reply: greets,
    ask: (url) =>
      atRegistry(url, async ({ listReferrers }) => {
        // A list that cannot be read counts as none.
        if ((await listReferrers("app", DIGEST)) === null)
          throw new Error("the list cannot be read");
      }),
  },
  {
    what: "a token",
    field: "token",
    reply: (path, url) =>
      path.startsWith("/token")
        ? { hostile: 200 }
        : {
            status: 401,
            body: "",
            headers: { "www-authenticate": `Bearer realm="${url}/token"` },
          },
    ask: (url) => atRegistry(url, ({ listTags }) => listTags("app", null)),
  },
  {
    what: "an error of a registry",
    field: "errors",
    reply: (path) => (path === "/v2/" ? greets(path) : { hostile: 418 }),
    ask: (url) => atRegistry(url, ({ listTags }) => listTags("app", null)),
  },
  {
    what: "the list of all packages",
    field: "pkg",
    reply: (path) =>
      path.startsWith("/-/all") ? { hostile: 200 } : { status: 404, body: "{}" },
    ask: list,
  },
  {
    what: "a search for all packages",
    field: "objects",
    reply: (path) =>
      path.startsWith("/-/v1/search") ? { hostile: 200 } : { status: 404, body: "{}" },
    ask: list,
  },
  {
    what: "the versions of a package",
    field: "versions",
    reply: () => ({ hostile: 200 }),
    ask: listOne,
  },
  {
    what: "the dist-tags of a package",
    field: "dist-tags",
    reply: () => ({ hostile: 200 }),
    ask: listOne,
  },
  {
    what: "the document of a version",
    field: "dist",
    reply: (path) =>
      path.startsWith("/pkg/") ? { hostile: 200 } : { status: 200, body: PACKUMENT },
    ask: describeOne,
  },
  {
    what: "an error of a package registry",
    field: "error",
    reply: () => ({ hostile: 418 }),
    ask: listOne,
  },
  {
    what: "the capabilities of an instance",
    field: "data",
    reply: () => ({ hostile: 200 }),
    ask: (url) => atInstance(url, ({ capabilities }) => capabilities()),
  },
  {
    what: "an instance's answer to a declaration of files",
    field: "data",
    reply: () => ({ hostile: 200 }),
    ask: (url) =>
      atInstance(url, ({ sendFiles }) =>
        sendFiles(REMOTE, { type: "GENERIC", ...RULES, files: [] }, [], HOOKS),
      ),
  },
  {
    what: "an instance's refusal",
    field: "message",
    reply: () => ({ hostile: 400 }),
    ask: (url) => atInstance(url, ({ capabilities }) => capabilities()),
  },
];

export function placeCalled(what: string): Place {
  const found = PLACES.find((place) => place.what === what);
  if (found === undefined) throw new Error(`no place is called ${what}`);
  return found;
}
