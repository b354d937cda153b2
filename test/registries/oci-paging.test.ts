import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { BUDGETS as DEFAULTS } from "../../domain/budgets.ts";
import { createOciRegistry } from "../../activities/registries/oci/registry.ts";

const THOUSAND = Array.from({ length: 1_000 }, (_, at) => at);
const BUDGETS = {
  ...DEFAULTS,
  maxTags: 5_000,
  maxListed: 7_000,
  maxEmptyPages: 10,
};
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0))
    await new Promise((resolve) => server.close(resolve).closeAllConnections());
});

/** Starts a registry; `answer` answers a request for the list of `field`. */
async function startLists(
  answer: (
    field: "tags" | "repositories",
    path: string,
    response: ServerResponse,
  ) => void,
) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://registry");
    // The first request, for /v2/, finds out the kind of login.
    if (pathname === "/v2/") return void response.end("{}");
    answer(pathname.endsWith("/tags/list") ? "tags" : "repositories", pathname, response);
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return createOciRegistry({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    budgets: BUDGETS,
  });
}

/**
 * Starts a registry whose pages have the items of `pageAt` and always a next page; `asked` counts the requested pages.
 */
async function endlessRegistry(pageAt: (at: number) => string[]) {
  const state = { asked: 0 };
  const registry = await startLists((field, path, response) => {
    const list = pageAt(state.asked);
    state.asked += 1;
    response
      .setHeader("link", `<${path}?page=${state.asked}>; rel="next"`)
      .end(JSON.stringify({ [field]: list }));
  });
  return { state, registry };
}

/** Starts a registry that answers the requests for its lists with `answers`, in their order; null: 404. */
const scriptedRegistry = (answers: (string[] | null)[]) =>
  startLists((field, _path, response) => {
    const list = answers.shift() ?? null;
    if (list === null) response.writeHead(404).end();
    else response.end(JSON.stringify({ [field]: list }));
  });

type Registry = Awaited<ReturnType<typeof startLists>>;
type Listing = {
  what: string;
  /** The setting that bounds it. */
  setting: string;
  most: number;
  list: (
    registry: Registry,
    cursor: string | null,
  ) => Promise<{ next: string | null } | null>;
};
const LISTINGS: Listing[] = [
  {
    what: "versions",
    setting: "MAX_TAGS",
    most: BUDGETS.maxTags,
    list: ({ listTags }, cursor) => listTags("endless", cursor),
  },
  {
    what: "packages",
    setting: "MAX_LISTED",
    most: BUDGETS.maxListed,
    list: ({ listRepositories }, cursor) => listRepositories(cursor),
  },
];

async function listAll(registry: Registry, { list }: Listing): Promise<void> {
  let cursor: string | null = null;
  do cursor = (await list(registry, cursor))?.next ?? null;
  while (cursor !== null);
}

const FULL_PAGE = THOUSAND.slice(0, 500).map((at) => `t${at}`);
const REFUSED_LATER = [
  { when: "for its second part", answers: [THOUSAND.map((at) => `t${at}`), null] },
  {
    when: "while it finds out how the registry pages",
    answers: [FULL_PAGE, FULL_PAGE, null],
  },
];

describe.each(LISTINGS)("listings of $what from a registry without pages", (listing) => {
  test.each(REFUSED_LATER)(
    "a listing is tried again, not taken for complete, when the list is refused $when",
    async ({ answers }) => {
      const registry = await scriptedRegistry([...answers]);
      await expect(listAll(registry, listing)).rejects.toMatchObject({
        kind: "server",
        retryable: true,
      });
      await registry.close();
    },
  );
});

describe.each(LISTINGS)("listings of $what", (listing) => {
  test.each([
    {
      pages: "empty",
      pageAt: () => [],
      said: "MAX_EMPTY_PAGES",
      most: BUDGETS.maxEmptyPages,
    },
    {
      pages: "all the same",
      pageAt: () => ["a", "b"],
      said: "ends like the previous page",
      most: 2,
    },
    {
      pages: "new without end",
      pageAt: (page: number) => THOUSAND.map((at) => `t${page}-${at}`),
      said: listing.setting,
      most: listing.most / THOUSAND.length,
    },
    {
      pages: "short and new without end",
      pageAt: (page: number) => [`t${page}`],
      said: listing.setting,
      most: listing.most / 10,
    },
  ])(
    "a listing fails and says what to do when its pages are $pages",
    async ({ pageAt, said, most }) => {
      const { state, registry } = await endlessRegistry(pageAt);
      const message = expect.stringMatching(
        `never ends its pages.*${said}.*name the ${listing.what} to replicate`,
      );
      await expect(listAll(registry, listing)).rejects.toMatchObject({
        kind: "invalid",
        retryable: false,
        message,
      });
      expect(state.asked).toBe(most);
      await registry.close();
    },
  );

  test("a listing whose pages go round in a circle fails as soon as it comes back to one", async () => {
    let asked = 0;
    const registry = await startLists((field, path, response) => {
      asked += 1;
      response
        .setHeader("link", `<${path}?page=${asked % 5}>; rel="next"`)
        .end(JSON.stringify({ [field]: [`t${asked}`] }));
    });
    await expect(listAll(registry, listing)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("leads back to a page before it"),
    });
    // Brent's algorithm finds a circle within a few times its length.
    expect(asked).toBeLessThan(20);
    await registry.close();
  });

  test("a listing finds its next page behind thousands of brackets", async () => {
    const registry = await startLists((field, path, response) =>
      response
        .setHeader("link", `${"<".repeat(8_000)}${path}?page=1>; rel="next"`)
        .end(JSON.stringify({ [field]: ["t1"] })),
    );
    const page = { items: ["t1"], next: expect.stringContaining("?page=1") };
    expect(await listing.list(registry, null)).toMatchObject(page);
    await registry.close();
  });

  test("a listing continues from a cursor that an older release stored", async () => {
    const { registry } = await endlessRegistry((page) => [`t${page}`]);
    const page = { items: ["t0"], next: expect.stringContaining("link:?page=1") };
    expect(await listing.list(registry, "link:?n=500&last=x")).toMatchObject(page);
    await registry.close();
  });
});
