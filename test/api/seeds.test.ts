import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { task } from "../../db/schema/tasks.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import {
  addCluster,
  addDetails,
  addRecord,
  addRepository,
  endRecord,
  setPlanned,
} from "../rigs/db/rows.ts";
import {
  CREATE_BODY,
  DISTRIBUTION_EXAMPLES,
  type Example,
  RECORD_EXAMPLES,
  TASK_EXAMPLES,
} from "../rigs/api/api-seed-examples.ts";

let api: TestApi;
let key: string;
let record: string;

/** Creates what the examples need: two clusters, a repository, and a task named test… that has succeeded once. */
beforeEach(async () => {
  api = createTestApi();
  addRepository(api.db, "bkrepo", "maven-local", "MAVEN");
  const clusters = ["shanghai", "beijing"].map((name, i) =>
    addCluster(api.db, name, "STANDALONE", CREATE_BODY.remoteClusterIds[i]),
  );
  const made = await api.call("POST", "/replication/api/task/create", {
    body: { ...CREATE_BODY, name: "testTask" },
  });
  key = (made.data as { key: string }).key;
  record = addRecord(api.db, key, Date.now());
  setPlanned(api.db, record, 1, 10);
  addDetails(
    api.db,
    clusters.map((clusterId) => ({
      recordId: record,
      clusterId,
      artifactName: "com.alibaba:fastjson",
      version: "1.2.47",
      endTime: Date.now(),
      digest: `sha256:${"0".repeat(64)}`,
    })),
  );
  endRecord(api.db, record, "SUCCESS", Date.now());
});
afterEach(() => api.close());

test.each(
  [...TASK_EXAMPLES, ...RECORD_EXAMPLES].map(
    (example) => [example.name, example] as const,
  ),
)(
  'the documented request "%s" is answered with every key that the documentation shows',
  async (_name, { method, path, body, answer }: Example) => {
    const fill = (text: string) =>
      text.replaceAll("KEY", key).replaceAll("RECORD", record);
    const given = body === undefined ? {} : { body: fill(JSON.stringify(body)) };
    const { status, text } = await api.call(method, fill(path), given);
    expect(status).toBe(200);
    expect(JSON.parse(text)).not.toHaveProperty("warnings");
    expect(differences(answer, JSON.parse(text), "")).toEqual([]);
  },
);

test("the examples of remote distribution work in their order, up to the end of a run-once task", async () => {
  for (const [repository, type] of [
    ["images", "DOCKER"],
    ["files", "GENERIC"],
  ] as const)
    addRepository(api.db, "bkrepo", repository, type);
  for (const { name, method, path, body, answer } of DISTRIBUTION_EXAMPLES) {
    const { status, text } = await api.call(method, path, { body });
    expect(JSON.parse(text)).not.toHaveProperty("warnings");
    expect([name, status, differences(answer, JSON.parse(text), "")]).toEqual([
      name,
      200,
      [],
    ]);
    if (name !== "run-once, execute") continue;
    const once = api.db
      .select()
      .from(task)
      .where(eq(task.name, "bkrepo/files/xxxx"))
      .get();
    endRecord(
      api.db,
      addRecord(api.db, once?.key ?? "", Date.now()),
      "SUCCESS",
      Date.now(),
    );
  }
});

/** Returns the keys of an example that an answer lacks. Further keys in the answer are allowed. */
function differences(shown: unknown, given: unknown, at: string): string[] {
  if (given === undefined) return [`${at} is missing`];
  if (shown === null || given === null) return [];
  if (Array.isArray(shown)) {
    if (!Array.isArray(given)) return [`${at} is no list`];
    if (given.length === 0 && shown.length > 0 && !at.endsWith("Constraints"))
      return [`${at} is empty`];
    return given.flatMap((entry, i) =>
      shown[0] === undefined ? [] : differences(shown[0], entry, `${at}[${i}]`),
    );
  }
  if (typeof shown !== typeof given)
    return [`${at} is ${typeof given}, not ${typeof shown}`];
  if (typeof shown !== "object") return [];
  return Object.entries(shown).flatMap(([name, value]) =>
    differences(value, (given as Record<string, unknown>)[name], `${at}.${name}`),
  );
}
