import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { BUDGETS as DEFAULTS } from "../../domain/budgets.ts";
import type { Page } from "../../activities/registries/oci/listing.ts";
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
    query: URLSearchParams,
  ) => void,
) {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://registry");
    // The first request, for /v2/, finds out the kind of login.
    if (pathname === "/v2/") return void response.end("{}");
    const field = pathname.endsWith("/tags/list") ? "tags" : "repositories";
    answer(field, pathname, response, searchParams);
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
  const registry = await startLists((field, path, response, query) => {
    const at = Number(query.get("page") ?? 0);
    state.asked += 1;
    response
      .setHeader("link", `<${path}?page=${at + 1}>; rel="next"`)
      .end(JSON.stringify({ [field]: pageAt(at) }));
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
  list: (registry: Registry, cursor: string | null) => Promise<Page | null>;
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

/** Lists from a cursor on, and returns the items of each page. */
async function listAll(
  registry: Registry,
  { list }: Listing,
  from: string | null = null,
): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor = from;
  do {
    const page: Page | null = await list(registry, cursor);
    pages.push(page?.items ?? []);
    cursor = page?.next ?? null;
  } while (cursor !== null);
  return pages;
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

describe.each(LISTINGS)(
  "listings of $what from a registry with large pages",
  (listing) => {
    /** Items in no order, none of which another page has. */
    const mixed = (page: string, count: number) =>
      Array.from({ length: count }, (_, at) => `${page}-${(at * 7_919) % count}`);
    const ANSWERS = [
      mixed("a", 1_234),
      mixed("b", 500),
      mixed("c", 501),
      [],
      mixed("d", 1_001),
    ];

    /** Starts a registry with these answers, each but the last with a Link to the next; `asked`: the queries. */
    async function startLinked() {
      const asked: (string | null)[] = [];
      const registry = await startLists((field, path, response, query) => {
        asked.push(query.get("page"));
        const at = Number(query.get("page") ?? 0);
        if (at + 1 < ANSWERS.length)
          response.setHeader("link", `<${path}?page=${at + 1}>; rel="next"`);
        response.end(JSON.stringify({ [field]: ANSWERS[at] }));
      });
      return { asked, registry };
    }

    test("a page has at most 500 entries however many an answer has, and none is left out", async () => {
      const { asked, registry } = await startLinked();
      const pages = await listAll(registry, listing);
      expect(pages.map(({ length }) => length)).toEqual([
        500, 500, 234, 500, 500, 1, 0, 500, 500, 1,
      ]);
      expect(pages.flat().toSorted()).toEqual(ANSWERS.flat().toSorted());
      expect(asked).toEqual([null, null, null, "1", "2", "2", "3", "4", "4", "4"]);
      await registry.close();
    });

    test("a listing that an older release began goes on within a large answer", async () => {
      const { registry } = await startLinked();
      const pages = await listAll(registry, listing, "link:?page=2");
      expect(pages.map(({ length }) => length)).toEqual([500, 1, 0, 500, 500, 1]);
      await registry.close();
    });

    test("an answer that has more after the last entry than it was asked for is cut, too", async () => {
      const all = THOUSAND.map((at) => `t${at}`).toSorted();
      const registry = await startLists((field, _path, response, query) => {
        const after = query.get("last");
        const from = after === null ? 0 : all.indexOf(after) + 1;
        const list = all.slice(from, after === null ? 200 : undefined);
        response.end(JSON.stringify({ [field]: list }));
      });
      const pages = await listAll(registry, listing, "after:t0");
      expect(pages.map(({ length }) => length)).toEqual([500, 499]);
      expect(pages.flat()).toEqual(all.slice(1));
      await registry.close();
    });

    test("an entry that is much longer than a name is left out, so that no cursor is", async () => {
      const registry = await startLists((field, path, response) =>
        response
          .setHeader("link", `<${path}?page=1>; rel="next"`)
          .end(JSON.stringify({ [field]: [...mixed("a", 600), "z".repeat(100_000)] })),
      );
      const page = await listing.list(registry, null);
      const rest = await listing.list(registry, page?.next ?? null);
      expect([page?.items.length, rest?.items.length]).toEqual([500, 100]);
      expect(`${page?.next}${rest?.next}`.length).toBeLessThan(500);
      await registry.close();
    });
  },
);

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
      most: listing.most / 500,
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
