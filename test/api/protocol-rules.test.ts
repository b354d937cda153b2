import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeRecord } from "../../db/runs/close.ts";
import { runTargets } from "../../db/runs/targets.ts";
import { cluster } from "../../db/schema/tasks.ts";
import { repository } from "../../db/schema/content.ts";
import type { Protocol, RepositoryType } from "../../domain/vocabulary.ts";
import { addRecord, addRepository } from "../rigs/db/rows.ts";
import {
  createTaskApi,
  INSTANCE,
  REGISTRY,
  type TaskApi,
} from "../rigs/api/api-task-fixture.ts";

let api: TaskApi;
beforeEach(() => {
  api = createTaskApi();
});
afterEach(() => api.close());

const link = (type: RepositoryType, url: string, protocol: Protocol | null) =>
  api.call("POST", "/repository/api/repo/create", {
    body: {
      projectId: "p",
      name: "linked",
      type,
      category: "REMOTE",
      configuration: { type: "remote", url, protocol },
    },
  });
const setCluster = (values: { protocol?: Protocol | null; url?: string }) =>
  api.db.update(cluster).set(values).where(eq(cluster.id, REGISTRY)).run();
const task = (repoType: RepositoryType, localRepoName: string) =>
  api.create({
    replicaTaskObjects: [{ localRepoName, repoType }],
    remoteClusterIds: [REGISTRY],
  });

describe("a linked repository", () => {
  test.each<[RepositoryType, string, Protocol | null, RegExp]>([
    [
      "NPM",
      "https://r.example",
      "MAVEN",
      /\[configuration\.protocol\].*NPM repositories cannot be read from .* speaks MAVEN: the protocol must be NPM/,
    ],
    [
      "GENERIC",
      "https://r.example",
      "OCI",
      /\[configuration\.protocol\].*WEBDAV or S3 or HTTP or DIRECTORY/,
    ],
    ["NPM", "s3://bucket", null, /\[configuration\.url\].*speaks S3/],
    ["PYPI", "file:///srv/carry", null, /\[configuration\.url\].*speaks DIRECTORY/],
  ])(
    "a linked repository of type %s at %s with protocol %s is refused",
    async (type, url, protocol, message) => {
      expect(await link(type, url, protocol)).toMatchObject({
        status: 400,
        code: 250105,
        message: expect.stringMatching(message),
      });
    },
  );

  test.each<[RepositoryType, string, Protocol | null]>([
    ["NPM", "https://r.example", "NPM"],
    ["HELM", "https://r.example/charts", "OCI"],
    ["GENERIC", "s3://bucket", null],
    ["DOCKER", "file:///srv/carry", "DIRECTORY"],
    ["MAVEN", "https://r.example", null],
    ["NUGET", "https://r.example", "HTTP"],
  ])(
    "a linked repository of type %s at %s with protocol %s is saved, even if it cannot be read yet",
    async (type, url, protocol) => {
      expect(await link(type, url, protocol)).toMatchObject({
        code: 0,
        data: { configuration: { url, protocol } },
      });
    },
  );

  test("an update of a linked repository is refused if its type cannot be read by the new protocol", async () => {
    await link("HELM", "https://r.example", null);
    const update = (protocol: Protocol) =>
      api.call("POST", "/repository/api/repo/update/p/linked", {
        body: { configuration: { type: "remote", protocol } },
      });
    expect(await update("CARGO")).toMatchObject({
      code: 250105,
      message: expect.stringMatching(/configuration\.protocol.*HELM or OCI or DIRECTORY/),
    });
    expect(await update("OCI")).toMatchObject({ code: 0 });
  });
});

describe("a task to a registry", () => {
  test("a task to a registry is refused if the cluster's protocol cannot write its repository type", async () => {
    setCluster({ protocol: "CARGO" });
    expect(await task("GENERIC", "files")).toMatchObject({
      status: 400,
      code: 250105,
      message: expect.stringMatching(
        /\[remoteClusterIds\].*GENERIC.*speaks CARGO.*WEBDAV or S3 or HTTP or DIRECTORY/,
      ),
    });
    setCluster({ protocol: null, url: "s3://bucket" });
    expect(await task("MAVEN", "maven")).toMatchObject({
      code: 250105,
      message: expect.stringMatching(/\[remoteClusterIds\].*speaks S3/),
    });
    expect(await task("GENERIC", "files")).toMatchObject({ code: 0 });
  });

  test("a task to another instance is accepted whatever protocol a registry speaks", async () => {
    setCluster({ protocol: "CARGO" });
    expect(await api.create({ remoteClusterIds: [INSTANCE] })).toMatchObject({ code: 0 });
  });

  test("a distribution is refused if its type cannot be written by the protocol, and the field is named", async () => {
    const distribute = (destination: object) =>
      api.call("POST", "/replication/api/remote/distribution/create/p/maven", {
        body: { configs: [{ name: "out", replicaType: "SCHEDULED", ...destination }] },
      });
    expect(await distribute({ registry: "r.example", protocol: "NPM" })).toMatchObject({
      status: 400,
      code: 250105,
      message: expect.stringMatching(
        /\[protocol\].*MAVEN.*speaks NPM.*MAVEN or DIRECTORY/,
      ),
    });
    setCluster({ protocol: "NPM" });
    expect(await distribute({ clusterId: REGISTRY })).toMatchObject({
      code: 250105,
      message: expect.stringMatching(/\[clusterId\]/),
    });
    expect(await distribute({ registry: "r.example", protocol: "MAVEN" })).toMatchObject({
      code: 0,
    });
    const once = {
      name: "once",
      registry: "r.example",
      protocol: "PYPI",
      packageName: "org.example:app",
      versions: ["1"],
    };
    expect(
      await api.call(
        "POST",
        "/replication/api/remote/distribution/create/runOnceTask/p/maven",
        { body: once },
      ),
    ).toMatchObject({ code: 250105, message: expect.stringMatching(/\[protocol\]/) });
  });
});

describe("a task that a later release can run", () => {
  const record = async (objects: object[], clusters = [REGISTRY]) =>
    addRecord(
      api.db,
      (await api.created({ replicaTaskObjects: objects, remoteClusterIds: clusters }))
        .key,
      api.time.now,
    );

  test("a task whose protocol this release lacks is saved, and its run fails naming the protocol", async () => {
    setCluster({ protocol: "S3", url: "s3://bucket" });
    const id = await record([{ localRepoName: "files", repoType: "GENERIC" }]);
    expect(runTargets(api.db, id)).toEqual({
      targets: [],
      problems: [
        expect.stringMatching(
          /files → hub: files of a hosted GENERIC repository.*REMOTE cluster that speaks S3/,
        ),
      ],
    });
    expect(await closeRecord(api.db, id, null, () => api.time.now)).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringMatching(/speaks S3/),
    });
  });

  test("the reason why a task cannot run yet follows from the protocol of its cluster", async () => {
    setCluster({ protocol: null });
    const images = await record([{ localRepoName: "images", repoType: "DOCKER" }]);
    expect(runTargets(api.db, images)).toMatchObject({
      targets: [{ clusterId: REGISTRY }],
      problems: [],
    });
    setCluster({ protocol: "DIRECTORY", url: "file:///srv/carry" });
    expect(runTargets(api.db, images)).toEqual({
      targets: [],
      problems: [
        expect.stringMatching(/images of a linked DOCKER repository.*speaks DIRECTORY/),
      ],
    });
  });

  test("a run is judged by the protocol that its linked repository had when the run began", async () => {
    addRepository(api.db, "p", "carried", "DOCKER", "REMOTE");
    api.db
      .update(repository)
      .set({ url: "file:///srv/carry" })
      .where(eq(repository.name, "carried"))
      .run();
    const id = await record([{ localRepoName: "carried", repoType: "DOCKER" }]);
    expect(runTargets(api.db, id).problems).toEqual([
      expect.stringMatching(
        /replication of linked DOCKER repositories that speak DIRECTORY is not built yet/,
      ),
    ]);
  });
});
