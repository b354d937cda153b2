import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTaskApi, type TaskApi } from "../rigs/api/api-task-fixture.ts";
import { addCluster, addRepository } from "../rigs/db/rows.ts";
import { CLUSTER_MISTAKES } from "./clusters.ts";
import { DISTRIBUTION_MISTAKES } from "./distributions.ts";
import { REPOSITORY_MISTAKES } from "./repositories.ts";
import { REQUEST_MISTAKES } from "./requests.ts";
import type { Mistake } from "./row.ts";
import { TASK_MISTAKES } from "./tasks.ts";
import { WARNED_MISTAKES } from "./warned.ts";

/** The rows of every subject; a new one is added to its file, or with a file of its own here. */
const MISTAKES: readonly Mistake[] = [
  ...REQUEST_MISTAKES,
  ...TASK_MISTAKES,
  ...WARNED_MISTAKES,
  ...CLUSTER_MISTAKES,
  ...REPOSITORY_MISTAKES,
  ...DISTRIBUTION_MISTAKES,
];

let api: TaskApi;
let made = 0;
beforeAll(async () => {
  api = createTaskApi();
  addRepository(api.db, "p", "used", "GENERIC");
  addRepository(api.db, "p", "npm", "NPM");
  addRepository(api.db, "p", "oci", "OCI");
  addCluster(api.db, "used", "STANDALONE", "3".repeat(24));
  await api.created({
    name: "task-in-use",
    replicaTaskObjects: [{ localRepoName: "used", repoType: "GENERIC" }],
    remoteClusterIds: ["3".repeat(24)],
  });
});
afterAll(() => api.close());

async function said({ ask }: Mistake, language: string) {
  made += 1;
  const { method = "POST", path, headers = {}, ...call } = ask(`mistake-${made}`);
  const { status, code, message, text } = await api.call(method, path, {
    ...call,
    headers: { ...headers, "accept-language": language },
  });
  const { warnings = [] } = JSON.parse(text) as { warnings?: string[] };
  return { status, code, words: [message ?? "", ...warnings].join("\n") };
}

describe("a mistake", () => {
  test.each(MISTAKES.map((mistake) => [mistake.what, mistake] as const))(
    "%s is answered with its status, its code, what is wrong and what to do, in English and Chinese",
    async (_what, mistake) => {
      const { status, code, en, zh } = mistake;
      expect(await said(mistake, "en")).toEqual({
        status,
        code,
        words: expect.stringMatching(en),
      });
      const chinese = await said(mistake, "zh-CN");
      expect(chinese).toEqual({ status, code, words: expect.stringMatching(zh) });
      expect(withoutQuotes(chinese.words)).not.toMatch(ENGLISH);
    },
  );

  test("the table of mistakes has at least sixty rows, each once", () => {
    const rows = MISTAKES.map(({ what }) => what);
    expect(new Set(rows).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThanOrEqual(60);
  });
});

/** Three English words in a row. */
const ENGLISH = /\b[a-z]+ [a-z]+ [a-z]+\b/;
/** Removes what is quoted: names, foreign reasons after 原文, requests to make. */
const withoutQuotes = (words: string): string =>
  words.replaceAll(/原文：[^\n]*|"[^"]*"|“[^”]*”|\[[^\]]*\]/g, "");
