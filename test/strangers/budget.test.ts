import { afterAll, beforeAll, expect, test } from "vitest";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import { WORKER } from "../rigs/api/api-fixture.ts";
import { isInForm } from "../rigs/api/every-door.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";

const BUDGET = 4_000;
const body = Buffer.from(JSON.stringify({ name: "n".repeat(5_000) }));

let api: Awaited<ReturnType<typeof startApi>>;
beforeAll(async () => {
  api = await startApi({ maxBuffered: BUDGET });
  for (const [name, type] of [
    ["npm", "NPM"],
    ["maven", "MAVEN"],
    ["images", "DOCKER"],
  ])
    await api.call("POST", "/repository/api/repo/create", {
      body: { projectId: "demo", name, type },
    });
});
afterAll(() => api.close());

const JSON_TYPE = { "content-type": "application/json" };
const signed = () =>
  createInternalSigner(WORKER).headers("POST", "/internal/v1/reports", body);
const PLACES: [method: string, path: string, headers: () => Record<string, string>][] = [
  ["POST", "/repository/api/project/create", () => JSON_TYPE],
  ["GET", "/replication/api/cluster/tryConnect", () => JSON_TYPE],
  ["PUT", "/npm/demo/npm/x", () => JSON_TYPE],
  [
    "PUT",
    "/v2/demo/images/app/manifests/1",
    () => ({ "content-type": "application/vnd.oci.image.manifest.v1+json" }),
  ],
  ["POST", "/v2/token", () => ({ "content-type": "application/x-www-form-urlencoded" })],
  ["PUT", "/maven/demo/maven/a/b/maven-metadata.xml", () => ({})],
  [
    "POST",
    "/replication/sync/v1/files/demo/files",
    () => ({ "content-type": "application/vnd.artifact-replication.files" }),
  ],
  ["POST", "/internal/v1/reports", signed],
];

test.each(PLACES)(
  "a body that memory has no room for is answered 503 with Retry-After: %s %s",
  async (method, path, headers) => {
    const answer = await send(
      api.port,
      method,
      path,
      { "content-length": body.length, ...headers() },
      [body],
    );
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "1"]);
    const said = answer.body.toString();
    expect(said).toContain("too many bodies in memory");
    expect(isInForm(path, said)).toBe(true);
  },
);

test("memory is free again after each answer, and streams to the disk take none of it", async () => {
  for (let number = 0; number < 5; number += 1) {
    const name = `p${number}`;
    const small = Buffer.from(JSON.stringify({ name, displayName: "d".repeat(30) }));
    const create = { ...JSON_TYPE, "content-length": small.length };
    const answer = await send(
      api.port,
      "POST",
      "/repository/api/project/create",
      create,
      [small],
    );
    expect(answer.status).toBe(200);
    const upload = `/generic/demo/files/${name}`;
    const stored = await send(api.port, "PUT", upload, { "content-length": 100_000 }, [
      Buffer.alloc(100_000),
    ]);
    expect(stored.status).toBe(200);
  }
});
