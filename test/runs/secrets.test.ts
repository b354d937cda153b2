import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import {
  closed,
  createCleanup,
  newest,
  openProduct,
  UTC,
  type Product,
} from "../rigs/runs/run-fixture.ts";
import { contentsOf, readHistories } from "../rigs/runs/run-histories.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import { each, fillRepository } from "../rigs/runs/run-sources.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { makeImage, pushImage } from "../rigs/servers/images.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

const PARTNER = "secret-of-the-partner";
const WRONG = "wrong-secret-of-somebody";
const SECRETS = [USER.password, PARTNER, WRONG];
/** The secrets in the forms to look for: as plain text, and as Basic authentication encodes them. */
const FORMS = [
  ...SECRETS,
  ...[
    `${USER.username}:${USER.password}`,
    `admin:${PARTNER}`,
    `${USER.username}:${WRONG}`,
    `admin:${WRONG}`,
  ].map((pair) => Buffer.from(pair).toString("base64").replace(/=+$/, "")),
];
const IMAGES = 40;
const FILES = 120;

const cleanup = createCleanup();
let center: Instance;
let product: Product;
const runs: { key: string; recordId: string; workflowId: string; status: string }[] = [];

beforeAll(async () => {
  const env = { ...UTC, LOG_LEVEL: "trace", RETRY_WINDOW: "0s" };
  const [mine, edge, source, target] = await Promise.all([
    cleanup.keep(startInstance({ env }), (one) => one.remove()),
    cleanup.keep(
      startInstance({
        env: {
          ...UTC,
          ADMIN_PASSWORD: PARTNER,
          LOCAL_CLUSTER_NAME: "edge",
          TRANSFER_WORKERS: "1",
        },
      }),
      (one) => one.remove(),
    ),
    cleanup.keep(
      oneOf("docker-registry", "distribution").then(
        async (plain) => (
          await plain.stop(),
          startRegistry(plain.kind, { auth: "htpasswd" })
        ),
      ),
      (one) => one.stop(),
    ),
    cleanup.keep(
      oneOf("distribution", "docker-registry").then(
        async (plain) => (
          await plain.stop(),
          startRegistry(plain.kind, { auth: "token" })
        ),
      ),
      (one) => one.stop(),
    ),
  ]);
  center = mine;
  product = openProduct(center);
  const authorization = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString("base64")}`;
  await each([...Array.from({ length: IMAGES }).keys()], 8, (at) =>
    pushImage(source.url, `team/app-${at % 4}`, `tag-${at}`, makeImage(), {
      authorization,
    }),
  );
  await product.project("local");
  await product.linked("local", "images", source.url, USER);
  await product.linked("local", "locked", source.url, { ...USER, password: WRONG });
  await product.hosted("local", "files");
  await fillRepository(
    product,
    "local",
    "files",
    Array.from({ length: FILES }, () => 500),
  );
  const accepted = { acceptedRealms: target.realms };
  const registry = await product.registry("registry", target.url, {
    ...USER,
    ...accepted,
  });
  const stranger = await product.registry("stranger", target.url, {
    ...USER,
    ...accepted,
    password: WRONG,
  });
  const partner = await product.partner("partner", edge);
  const enemy = await product.partner("enemy", { ...edge, password: WRONG });
  const images = { localRepoName: "images", repoType: "OCI" } as const;
  const files = { localRepoName: "files", repoType: "GENERIC" } as const;
  for (const [object, cluster] of [
    [images, registry],
    [images, stranger],
    [{ ...images, localRepoName: "locked" }, registry],
    [files, partner],
    [files, enemy],
  ] as const) {
    const key = await product.run({
      projectId: "local",
      objects: [object],
      clusters: [cluster],
    });
    const { id, workflowId, status } = await closed(product, key);
    runs.push({ key, recordId: id, workflowId, status });
  }
});
afterAll(cleanup.all);

const leaks = (text: string) => FORMS.filter((form) => text.includes(form));

describe("secrets of runs that succeed and of runs that are refused", () => {
  test("runs with right credentials succeed, and runs with wrong ones fail", () => {
    expect(runs.map(({ status }) => status)).toEqual([
      "SUCCESS",
      "FAILED",
      "FAILED",
      "SUCCESS",
      "FAILED",
    ]);
  });

  test("workflow histories contain no secret, no manifest and no listing, and their payloads are small", async () => {
    for (const { workflowId } of runs) {
      const histories = await readHistories(center.endpoints().temporal, workflowId);
      const contents = [...histories.values()].map(contentsOf);
      const texts = contents.flatMap((content) => [
        ...content.texts,
        ...content.payloads,
      ]);
      expect(texts.length).toBeGreaterThan(20);
      expect(texts.flatMap(leaks)).toEqual([]);
      const named = new Set(
        texts.flatMap((text) => text.match(/tag-\d+|file-\d+\.bin/g) ?? []),
      );
      expect(named.size).toBeLessThanOrEqual(1);
      expect(
        texts.filter((text) => /schemaVersion|sha256:[0-9a-f]{64}/.test(text)),
      ).toEqual([]);
      expect(
        Math.max(
          ...contents.flatMap(({ payloads }) =>
            payloads.map((payload) => payload.length),
          ),
        ),
      ).toBeLessThanOrEqual(4096);
    }
  });

  test("answers of the API contain no secret", async () => {
    const paths = [
      "/replication/api/cluster/list",
      "/replication/api/cluster/page",
      "/replication/api/cluster/info?name=registry",
      "/replication/api/task/page/local",
      "/repository/api/repo/list/local",
      "/repository/api/repo/info/local/images",
      "/repository/api/repo/tryConnect/local/images",
      "/repository/api/repo/tryConnect/local/locked",
      ...runs.flatMap(({ key, recordId }) => [
        `/replication/api/task/info/${key}`,
        `/replication/api/task/detail/${key}`,
        `/replication/api/task/record/list/${key}`,
        `/replication/api/task/record/${recordId}`,
        `/replication/api/task/record/detail/list/${recordId}`,
        `/replication/api/task/record/detail/page/${recordId}`,
      ]),
    ];
    for (const path of paths)
      expect(leaks(JSON.stringify(await product.call("GET", path)))).toEqual([]);
    for (const name of ["registry", "stranger", "enemy"]) {
      const answer = await product
        .call("POST", `/replication/api/cluster/tryConnect?name=${name}`)
        .catch((error: unknown) => error);
      expect(leaks(String(answer))).toEqual([]);
    }
    expect((await newest(product, runs[1]?.key ?? "")).errorReason).toContain(
      "check username, password",
    );
  });

  test("logs at any level and files in the data directory contain no secret in the clear", () => {
    expect(center.output().length).toBeGreaterThan(1_000);
    expect(leaks(center.output())).toEqual([]);
    const files = readdirSync(center.dataDir, { recursive: true, encoding: "utf8" }).map(
      (name) => join(center.dataDir, name),
    );
    const open = files.filter(
      (file) =>
        statSync(file).isFile() &&
        leaks(readFileSync(file).toString("latin1")).length > 0,
    );
    expect(open).toEqual([]);
  });
});
