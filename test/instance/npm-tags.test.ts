import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readSourceVersions } from "../../db/packages/stated-facts.ts";
import { findRepository } from "../../db/content/repositories.ts";
import { decideTags } from "../../domain/npm/tags.ts";
import { SYNC_PREFIX } from "../../domain/sync.ts";
import {
  type SourceVersion,
  type StatedVersion,
  VERSIONS_MEDIA_TYPE,
} from "../../domain/sync-versions.ts";
import type { ConflictStrategy } from "../../domain/vocabulary.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { startInstance, type Instance } from "../rigs/transfer/instance-fixture.ts";
import { frame, npmVersion } from "../rigs/transfer/package-copy-fixture.ts";

type Tags = Record<string, string>;

type Row = {
  what: string;
  strategies: ConflictStrategy[];
  source: Tags;
  /** The versions of the source; null when the source does not send them. */
  sourceHas?: string[] | null;
  target: Tags;
  targetHas?: string[];
  includeMetadata?: boolean;
  sets: Tags;
};

const ALL: ConflictStrategy[] = ["OVERWRITE", "SKIP", "FAST_FAIL"];
const CAREFUL: ConflictStrategy[] = ["SKIP", "FAST_FAIL"];
const VERSIONS = ["1.0.0", "2.0.0-rc.1", "2.0.0", "10.0.0"];

const ROWS: Row[] = [
  {
    what: "the tags that the target lacks",
    strategies: ALL,
    source: { latest: "2.0.0", next: "10.0.0" },
    target: {},
    sets: { latest: "2.0.0", next: "10.0.0" },
  },
  {
    what: "the tags that point to another version, newer or older",
    strategies: ALL,
    source: { old: "1.0.0", next: "10.0.0" },
    target: { old: "2.0.0", next: "2.0.0" },
    sets: { old: "1.0.0", next: "10.0.0" },
  },
  {
    what: "no tag that already points to the right version",
    strategies: ALL,
    source: { latest: "2.0.0", next: "10.0.0" },
    target: { latest: "2.0.0", next: "10.0.0" },
    sets: {},
  },
  {
    what: "no tag whose version the target lacks",
    strategies: ALL,
    source: { latest: "2.0.0", next: "10.0.0" },
    target: {},
    targetHas: ["1.0.0"],
    sets: {},
  },
  {
    what: "no tag that only the target has",
    strategies: ALL,
    source: {},
    target: { latest: "1.0.0", own: "1.0.0" },
    sets: {},
  },
  {
    what: "a newer latest",
    strategies: ALL,
    source: { latest: "10.0.0" },
    target: { latest: "2.0.0" },
    sets: { latest: "10.0.0" },
  },
  {
    what: "latest to a release that follows its prerelease",
    strategies: ALL,
    source: { latest: "2.0.0" },
    target: { latest: "2.0.0-rc.1" },
    sets: { latest: "2.0.0" },
  },
  {
    what: "an older latest",
    strategies: ["OVERWRITE"],
    source: { latest: "1.0.0" },
    target: { latest: "2.0.0" },
    sets: { latest: "1.0.0" },
  },
  {
    what: "no older latest",
    strategies: CAREFUL,
    source: { latest: "1.0.0" },
    target: { latest: "2.0.0" },
    sets: {},
  },
  {
    what: "latest to another version if it is at a version that only the target has",
    strategies: ["OVERWRITE"],
    source: { latest: "2.0.0" },
    target: { latest: "1.5.0" },
    sets: { latest: "2.0.0" },
  },
  {
    what: "no latest if it is at a version that only the target has",
    strategies: CAREFUL,
    source: { latest: "2.0.0" },
    target: { latest: "1.5.0" },
    sets: {},
  },
  {
    what: "a newer latest even if the source does not send its list of versions",
    strategies: ALL,
    source: { latest: "2.0.0" },
    sourceHas: null,
    target: { latest: "1.5.0" },
    sets: { latest: "2.0.0" },
  },
  {
    what: "no older latest if the source does not send its list of versions",
    strategies: ALL,
    source: { latest: "1.0.0" },
    sourceHas: null,
    target: { latest: "2.0.0" },
    sets: {},
  },
  {
    what: "only a missing latest without includeMetadata",
    strategies: ALL,
    source: { latest: "2.0.0", next: "10.0.0" },
    target: {},
    includeMetadata: false,
    sets: { latest: "2.0.0" },
  },
  {
    what: "no existing latest without includeMetadata",
    strategies: ALL,
    source: { latest: "2.0.0" },
    target: { latest: "1.0.0" },
    includeMetadata: false,
    sets: {},
  },
];

const CASES = ROWS.flatMap((row) =>
  row.strategies.map((strategy) => [strategy, row.what, row] as const),
);

test.each(CASES)(
  "under %s a replication to npm sets the dist-tags %s",
  (strategy, _, row) => {
    const {
      source,
      sourceHas = VERSIONS,
      target,
      targetHas = [...VERSIONS, "1.5.0"],
      includeMetadata = true,
      sets,
    } = row;
    const chosen = decideTags({
      strategy,
      includeMetadata,
      source: new Map(Object.entries(source)),
      sourceHas: sourceHas && ((version) => sourceHas.includes(version)),
      target: new Map(Object.entries(target)),
      targetHas: (version) => targetHas.includes(version),
    });
    expect(Object.fromEntries(chosen)).toEqual(sets);
  },
);

describe("the dist-tag latest between two instances", () => {
  const login = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };
  const tarballs = Object.fromEntries(
    [...VERSIONS, "1.5.0"].map((version) => [version, randomBytes(200)]),
  );
  let instance: Instance;
  let count = 0;
  let [source, target] = ["", ""];

  beforeAll(async () => {
    instance = await startInstance();
  });

  afterAll(async () => {
    await instance.stop();
    instance.remove();
  });

  beforeEach(async () => {
    count += 1;
    [source, target] = [`source${count}`, `target${count}`];
    for (const name of [source, target]) {
      const init = {
        method: "POST",
        headers: { ...login, "content-type": "application/json" },
        body: `{"type":"NPM"}`,
      };
      await fetch(`${instance.url}${SYNC_PREFIX}/repositories/copies/${name}`, init);
    }
  });

  const build = (version: string, distTags: string[] = []) =>
    npmVersion("lib", version, {
      tarball: tarballs[version] ?? randomBytes(9),
      distTags,
    });

  async function state(
    repository: string,
    versions: StatedVersion[],
    conflictStrategy: ConflictStrategy = "SKIP",
  ): Promise<unknown> {
    const body = frame(
      "NPM",
      versions,
      versions.map(({ version }) => tarballs[version] ?? Buffer.alloc(0)),
      { conflictStrategy },
    );
    const headers = { ...login, "content-type": VERSIONS_MEDIA_TYPE };
    const answer = await fetch(
      `${instance.url}${SYNC_PREFIX}/versions/copies/${repository}`,
      {
        method: "POST",
        headers,
        body,
      },
    );
    return answer.json();
  }

  async function tag(repository: string, version: string): Promise<void> {
    const headers = { ...login, "content-type": "application/json" };
    const address = `${instance.url}/npm/copies/${repository}/-/package/lib/dist-tags/latest`;
    const { status } = await fetch(address, {
      method: "PUT",
      headers,
      body: JSON.stringify(version),
    });
    expect(status).toBe(201);
  }

  /** Returns the given versions of the source as the control plane describes them to a worker. */
  function told(...versions: string[]): StatedVersion[] {
    const { id } = findRepository(instance.db, "copies", source) ?? { id: 0 };
    const keys = versions.map((version) => ({ name: "lib", version }));
    return readSourceVersions(instance.db, id, keys, Date.now()).flatMap((text) => {
      const found = JSON.parse(text) as SourceVersion;
      return found.kind === "found" ? [found.version] : [];
    });
  }

  async function tagsOf(repository: string): Promise<unknown> {
    const answer = await fetch(`${instance.url}/npm/copies/${repository}/lib`, {
      headers: login,
    });
    return ((await answer.json()) as Record<string, unknown>)["dist-tags"];
  }

  test("the dist-tag latest moves to an older version of the source only under OVERWRITE", async () => {
    await state(source, [build("1.0.0").stated, build("2.0.0", ["latest"]).stated]);
    expect(told("1.0.0", "2.0.0").map(({ sourceVersions }) => sourceVersions)).toEqual([
      undefined,
      ["1.0.0", "2.0.0"],
    ]);
    await state(target, told("1.0.0", "2.0.0"));
    await tag(source, "1.0.0");
    await state(target, told("1.0.0", "2.0.0"));
    expect(await tagsOf(target)).toEqual({ latest: "2.0.0" });
    await state(target, told("1.0.0", "2.0.0"), "FAST_FAIL");
    expect(await tagsOf(target)).toEqual({ latest: "2.0.0" });
    await state(target, told("1.0.0", "2.0.0"), "OVERWRITE");
    expect(await tagsOf(target)).toEqual({ latest: "1.0.0" });
  });

  test("the dist-tag latest stays at a version that only the target has under SKIP, not under OVERWRITE", async () => {
    await state(target, [build("1.5.0", ["latest"]).stated]);
    await state(source, [build("2.0.0", ["latest"]).stated]);
    await state(target, told("2.0.0"));
    expect(await tagsOf(target)).toEqual({ latest: "1.5.0" });
    await state(target, told("2.0.0"), "OVERWRITE");
    expect(await tagsOf(target)).toEqual({ latest: "2.0.0" });
  });

  test("the dist-tag latest moves only to newer versions if the source sends no list of its versions", async () => {
    await state(target, [build("1.5.0", ["latest"]).stated]);
    await state(target, [build("2.0.0", ["latest"]).stated]);
    expect(await tagsOf(target)).toEqual({ latest: "2.0.0" });
    await state(target, [build("1.0.0", ["latest"]).stated], "OVERWRITE");
    expect(await tagsOf(target)).toEqual({ latest: "2.0.0" });
  });

  test.each([[["1.0.0", 5]], ["1.0.0"], [[""]]])(
    "a statement of an npm version with the invalid list of source versions %j is refused",
    async (sourceVersions) => {
      const stated = {
        ...build("1.0.0", ["latest"]).stated,
        sourceVersions,
      } as StatedVersion;
      expect(await state(target, [stated])).toMatchObject({ code: 250106 });
    },
  );
});
