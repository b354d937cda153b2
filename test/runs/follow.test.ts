import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authorizationOf, startInstance, type Instance } from "../rigs/runs/instance.ts";
import { createFiller, mavenPath, pom } from "../rigs/api/packages-fixture.ts";
import {
  createCleanup,
  openProduct,
  unique,
  UTC,
  type Product,
  type RecordInfo,
  type TaskDraft,
  type TaskObject,
} from "../rigs/runs/run-fixture.ts";

const cleanup = createCleanup();
let rig: { center: Instance; edge: Instance; product: Product; cluster: string };

beforeAll(async () => {
  const start = (env: Record<string, string>) =>
    cleanup.keep(startInstance({ env: { ...UTC, LOG_LEVEL: "warn", ...env } }), (each) =>
      each.remove(),
    );
  const [center, edge] = await Promise.all([
    start({}),
    start({ LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "1" }),
  ]);
  const product = openProduct(center);
  rig = { center, edge, product, cluster: await product.partner("edge", edge) };
});
afterAll(cleanup.all);

/** Creates a project with a hosted repository and an enabled REAL_TIME task that sends it to the other instance. */
async function following(
  type: "MAVEN" | "NPM",
  draft: Partial<TaskDraft> = {},
  more: Partial<TaskObject> = {},
) {
  const { center, edge, product, cluster } = rig;
  const projectId = unique("p");
  await product.project(projectId);
  await product.hosted(projectId, "packages", type);
  const key = await product.run({
    projectId,
    objects: [{ localRepoName: "packages", repoType: type, ...more }],
    clusters: [cluster],
    replicaType: "REAL_TIME",
    ...draft,
  });
  const repo = `${projectId}/packages`;
  const read = async (path: string) => {
    const answer = await fetch(edge.url + path, {
      headers: { authorization: authorizationOf(edge) },
    });
    return answer.ok ? answer.text() : null;
  };
  const until = async (has: () => Promise<boolean>, what: string) => {
    const begun = Date.now();
    for (; !(await has()); await sleep(20))
      if (Date.now() > begun + 180_000) throw new Error(`${what}: not within 180 s`);
    console.log(`${what} after ${Date.now() - begun} ms`);
  };
  /** Waits until all drains have ended, and returns the artifacts that they sent. */
  const sent = async () => {
    await until(
      async () =>
        (await product.records(key)).every(({ status }) => status !== "RUNNING"),
      "drains end",
    );
    const records = await product.records(key);
    expect(records.filter(({ status }) => status !== "SUCCESS")).toEqual([]);
    const details = (
      await Promise.all(records.map(({ id }) => product.details(id)))
    ).flat();
    return [
      ...new Set(
        details.map(
          ({ artifactName, version }) =>
            `${artifactName}${version === null ? "" : `:${version}`}`,
        ),
      ),
    ].sort();
  };
  return {
    repo,
    read,
    until,
    sent,
    fill: createFiller({ url: center.url, authorization: authorizationOf(center) }),
  };
}

test("a run-once task in the form that bk-repo's users send copies one version to another instance", async () => {
  const { center, edge, product, cluster } = rig;
  const projectId = unique("p");
  await product.project(projectId);
  await product.hosted(projectId, "maven-local", "MAVEN");
  const fill = createFiller({ url: center.url, authorization: authorizationOf(center) });
  for (const version of ["1.2.47", "1.2.83"])
    await fill.deploy(`${projectId}/maven-local`, "com.alibaba:fastjson", version);
  const at = "/replication/api/remote/distribution";
  const place = `${projectId}/maven-local`;
  const body = {
    name: "fastjson",
    clusterId: cluster,
    remoteProjectId: projectId,
    remoteRepoName: "maven-copies",
    packageName: "com.alibaba:fastjson",
    versions: ["1.2.83"],
  };
  await product.call("POST", `${at}/create/runOnceTask/${place}`, body);
  await product.call("POST", `${at}/execute/runOnceTask/${place}?name=fastjson`);
  const status = () =>
    product.call<RecordInfo | null>(
      "GET",
      `${at}/get/runOnceTaskStatus/${place}?name=fastjson`,
    );
  await expect.poll(async () => (await status())?.status).toBe("SUCCESS");
  const read = async (version: string) =>
    (
      await fetch(
        `${edge.url}/maven/${projectId}/maven-copies${mavenPath("com.alibaba:fastjson", version, ".jar")}`,
        {
          headers: { authorization: authorizationOf(edge) },
        },
      )
    ).status;
  expect([await read("1.2.83"), await read("1.2.47")]).toEqual([200, 404]);
  const [detail] = await product.details((await status())?.id ?? "");
  expect(detail).toMatchObject({
    artifactName: "com.alibaba:fastjson",
    version: "1.2.83",
    repoType: "MAVEN",
    status: "SUCCESS",
  });
});

type Packument = {
  "dist-tags": Record<string, string>;
  versions: Record<string, { deprecated?: string; dist: { tarball: string } }>;
};

describe("a REAL_TIME task over a hosted NPM repository", () => {
  test("a REAL_TIME task sends NPM versions that are published, and dist-tags that are moved", async () => {
    const { repo, read, until, sent, fill } = await following("NPM");
    const packument = async () =>
      JSON.parse((await read(`/npm/${repo}/@acme%2ftool`)) ?? "{}") as Partial<Packument>;
    await fill.publish(repo, "@acme/tool", "1.0.0");
    await until(
      async () => (await packument())["dist-tags"]?.["latest"] === "1.0.0",
      "the version arrives",
    );
    expect(await read(`/npm/${repo}/@acme/tool/-/tool-1.0.0.tgz`)).toBe(
      "tarball of @acme/tool 1.0.0",
    );
    await fill.publish(repo, "@acme/tool", "1.1.0", { tag: "next" });
    await until(
      async () => (await packument())["dist-tags"]?.["next"] === "1.1.0",
      "the next version arrives",
    );
    const moved = await fetch(
      `${rig.center.url}/npm/${repo}/-/package/@acme%2ftool/dist-tags/latest`,
      {
        method: "PUT",
        headers: {
          authorization: authorizationOf(rig.center),
          "content-type": "application/json",
        },
        body: JSON.stringify("1.1.0"),
      },
    );
    expect(moved.status).toBeLessThan(300);
    await until(
      async () => (await packument())["dist-tags"]?.["latest"] === "1.1.0",
      "the moved dist-tag arrives",
    );
    expect(await sent()).toEqual(["@acme/tool:1.0.0", "@acme/tool:1.1.0"]);
  });
});

describe("a REAL_TIME task over a hosted MAVEN repository", () => {
  test("a REAL_TIME task sends a Maven version once it is complete, and files that are added later", async () => {
    const { repo, read, until, sent, fill } = await following("MAVEN");
    const file = (end: string) =>
      read(`/maven/${repo}${mavenPath("com.acme:lib", "1.0", end)}`);
    await fill.deploy(repo, "com.acme:lib", "1.0", { ".jar": "the jar" });
    await fill.file(repo, "/notes.txt", "outside the layout");
    await until(
      async () => (await read(`/maven/${repo}/notes.txt`)) === "outside the layout",
      "the file outside the layout arrives",
    );
    expect(await file(".jar")).toBeNull();
    await fill.deploy(repo, "com.acme:lib", "1.0", {
      ".pom": pom("com.acme:lib", "1.0"),
    });
    await until(
      async () => (await file(".jar")) === "the jar" && (await file(".pom")) !== null,
      "the complete version arrives",
    );
    expect(await read(`/maven/${repo}/com/acme/lib/maven-metadata.xml`)).toContain(
      "<release>1.0</release>",
    );
    await fill.deploy(repo, "com.acme:lib", "1.0", { "-sources.jar": "the sources" });
    await until(
      async () => (await file("-sources.jar")) === "the sources",
      "the later classifier arrives",
    );
    expect(await sent()).toEqual(["/notes.txt", "com.acme:lib:1.0"]);
  });

  test("a REAL_TIME task with paths sends only files of the Maven versions below them", async () => {
    const { repo, read, until, sent, fill } = await following(
      "MAVEN",
      { type: "PATH" },
      { pathConstraints: [{ path: "/com/acme/lib" }] },
    );
    await fill.deploy(repo, "com.acme:other", "1.0");
    await fill.deploy(repo, "com.acme:lib", "1.0");
    const file = (packageName: string, end: string) =>
      read(`/maven/${repo}${mavenPath(packageName, "1.0", end)}`);
    await until(
      async () =>
        (await file("com.acme:lib", ".jar")) !== null &&
        (await file("com.acme:lib", ".pom")) !== null,
      "the files arrive",
    );
    expect(await file("com.acme:other", ".jar")).toBeNull();
    expect(await sent()).toEqual([
      mavenPath("com.acme:lib", "1.0", ".jar"),
      mavenPath("com.acme:lib", "1.0", ".pom"),
    ]);
  });
});
