import { afterEach, describe, expect, test } from "vitest";
import { findConcerned } from "../../db/drains/bell.ts";
import { newestEvent } from "../../db/pending/cursors.ts";
import { planCatchUp } from "../../db/drains/plan.ts";
import { write } from "../../db/open.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import { recordMavenFiles } from "../../db/packages/maven/record.ts";
import { putNodes } from "../../db/content/put-nodes.ts";
import { findRepository } from "../../db/content/repositories.ts";
import { eventCursor } from "../../db/schema/content.ts";
import type { TaskObject } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import {
  BROKEN,
  createFollowed,
  FILES,
  type Followed,
  LATER,
  SENT,
} from "../rigs/db/drain-fixture.ts";

const IDLE = { kind: "idle", wait: null };
const SHA256 = "0".repeat(64);

const opened: Followed[] = [];
afterEach(() => opened.splice(0).forEach((one) => one.destroy()));

type Wanted = Partial<TaskObject> & { type?: RepositoryType };

/** Creates a REAL_TIME task over p/packages. */
function follow(
  { type = "NPM", ...object }: Wanted = {},
  options: Parameters<typeof createFollowed>[0] = {},
): Followed {
  const followed = createFollowed({
    objects: [{ ...FILES, localRepoName: "packages", repoType: type, ...object }],
    packages: type,
    ...options,
  });
  opened.push(followed);
  return followed;
}

/** Adds files to the hosted MAVEN repository as the Maven endpoint does when a client deploys them. */
function deploy({ db, time }: Followed, ...paths: string[]): void {
  const repository = findRepository(db, "p", "packages");
  if (!repository) throw new Error("repository p/packages does not exist");
  const audit = {
    createdBy: "tester",
    createdDate: time.now,
    lastModifiedBy: "tester",
    lastModifiedDate: time.now,
  };
  const partOfVersion = (path: string) => path.startsWith("/com/");
  write(db, (tx) => {
    putBlobs(
      db,
      [{ sha256: SHA256, md5: "0".repeat(32), size: 7, inline: true }],
      time.now,
    );
    putNodes(
      db,
      repository,
      paths.map((fullPath) => ({
        fullPath,
        sha256: SHA256,
        metadata: {},
        partOfVersion: partOfVersion(fullPath),
      })),
      { overwrite: true, user: "tester", now: time.now },
    );
    recordMavenFiles(tx, repository, paths, audit, time.now);
  });
}

describe("the versions of a drain", () => {
  test("a drain sends each new or changed version once, with its present content", async () => {
    const { release, drain, take, close, begin, overview } = follow();
    release("@acme/tool:1.0.0");
    release("@acme/tool:1.0.0", "deprecated");
    release("tool:2.0.0");
    const { recordId, targets } = drain();
    expect(targets).toMatchObject([{ object: 0, label: "packages → cluster-0" }]);
    const [batch] = take(recordId);
    expect(
      batch?.artifacts.map(({ name, version, plannedSize }) => [
        name,
        version,
        plannedSize,
      ]),
    ).toEqual([
      ["@acme/tool", "1.0.0", 10],
      ["tool", "2.0.0", 10],
    ]);
    batch?.report(() => SENT);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 2,
      success: 2,
    });
    expect(overview(recordId)).toMatchObject({
      planned: 2,
      success: 2,
      failed: 0,
      notDone: 0,
    });
    expect(begin()).toEqual(IDLE);
  });

  test("a drain sends only versions of the packages that the task object names", () => {
    const { release, drain, planned, begin, cursor, db } = follow({
      type: "DOCKER",
      packageConstraints: [
        { packageKey: "docker://app", versions: ["1", "2"] },
        { packageKey: "oci://db", versions: [] },
      ],
    });
    release("other:1");
    release("app:3");
    expect(begin()).toEqual(IDLE);
    expect(cursor()?.position).toBe(newestEvent(db));
    for (const label of ["app:1", "db:15", "app:3", "app/sub:1"]) release(label);
    expect(planned(drain().recordId)).toEqual(["app:1", "db:15"]);
  });

  test("a drain leaves out versions that were deleted before or after they were planned", async () => {
    const { release, withdraw, drain, planned, send, close } = follow();
    for (const label of ["a:1", "a:2", "b:1"]) release(label);
    withdraw("a:1");
    const { recordId } = drain();
    expect(planned(recordId)).toEqual(["a:2", "b:1"]);
    withdraw("a:2");
    expect(send(recordId)).toEqual(["b:1"]);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 1,
      success: 1,
    });
  });

  test("an artifact that is deleted while it is sent does not fail its drain, even under FAST_FAIL", async () => {
    const { release, withdraw, uploadAll, remove, drain, take, close, begin, details } =
      follow(
        {},
        {
          setting: { errorStrategy: "FAST_FAIL" },
          objects: [FILES, { ...FILES, localRepoName: "packages", repoType: "NPM" }],
        },
      );
    release("a:1");
    release("a:2");
    uploadAll([["/file", "content"]]);
    const { recordId } = drain();
    const batches = [take(recordId, 0), take(recordId, 1)].flat();
    withdraw("a:1");
    await remove("/file");
    for (const { report } of batches)
      expect(report((label) => (label === "a:2" ? SENT : BROKEN))).toBeNull();
    expect(details(recordId).map(({ status }) => status)).toEqual([
      "SUCCESS",
      "SUCCESS",
      "SUCCESS",
    ]);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 3,
      success: 3,
    });
    release("a:3");
    const next = drain();
    expect(take(next.recordId, 1)[0]?.report(() => BROKEN)).toMatch(
      /FAST_FAIL.*a:3: refused/,
    );
    expect(await close(next.recordId)).toMatchObject({
      status: "FAILED",
      planned: 1,
      failed: 1,
    });
    expect(begin()).toEqual(IDLE);
  });

  test("a drain also sends versions that change while it runs, and resends those that change while sent", async () => {
    const { release, drain, grow, take, send, close, waiting } = follow();
    release("a:1");
    release("b:1");
    const { recordId } = drain();
    const [batch] = take(recordId);
    release("a:1", "changed");
    release("c:1");
    expect(grow(recordId).targets).toHaveLength(1);
    expect(waiting()).toEqual(["a:1 0"]);
    batch?.report(() => SENT);
    release("b:1", "changed");
    grow(recordId);
    expect(send(recordId).sort()).toEqual(["a:1", "b:1", "c:1"]);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 3,
      success: 3,
    });
    expect(waiting()).toEqual([]);
  });

  test("a version that cannot be sent for now waits, while other versions of its package are sent", async () => {
    const followed = follow();
    const { release, exhaust, waiting, time, run, details } = followed;
    for (const version of ["1", "2"]) release(`a:${version}`);
    await exhaust((label) => (label === "a:2" ? LATER : SENT));
    expect(waiting()).toEqual(["a:2 1"]);
    time.now += 5_000;
    const { recordId } = await run();
    expect(details(recordId)).toMatchObject([{ artifactName: "a", status: "SUCCESS" }]);
    expect(waiting()).toEqual([]);
  });

  test("versions that a drain did not send because of FAST_FAIL are sent by the next drain", async () => {
    const { release, run, waiting, drain, planned } = follow(
      {},
      { setting: { errorStrategy: "FAST_FAIL" } },
    );
    for (const version of ["1", "2", "3"]) release(`a:${version}`);
    await run((label) => (label === "a:1" ? BROKEN : LATER));
    expect(waiting()).toEqual(["a:2 0", "a:3 0"]);
    expect(planned(drain().recordId)).toEqual(["a:2", "a:3"]);
  });

  test("a drain after too many missed events plans all matching versions, each once", () => {
    const { release, drain, planned, db, clusterId } = follow({
      packageConstraints: [
        { packageKey: "npm://a", versions: [] },
        { packageKey: "npm://none", versions: [] },
      ],
    });
    for (const label of ["a:1", "a:2", "b:1"]) release(label);
    db.update(eventCursor).set({ catchUp: true }).run();
    const { recordId, plan } = drain();
    expect([plan, clusterId]).toEqual([true, clusterId]);
    while (!planCatchUp(db, recordId, 0, Date.now()));
    expect(planned(recordId)).toEqual(["a:1", "a:2"]);
  });
});

describe("the versions and files of a drain of a MAVEN repository", () => {
  const LIB = "/com/acme/lib/1.0/lib-1.0";

  test("a drain sends a Maven version when it is complete or grows, and a file outside Maven's layout alone", () => {
    const followed = follow({ type: "MAVEN" });
    const { drain, send, planned, begin } = followed;
    deploy(followed, `${LIB}.jar`);
    expect(begin()).toEqual(IDLE);
    deploy(followed, `${LIB}.pom`, "/notes.txt", `${LIB}.jar.sha1`);
    const { recordId } = drain();
    expect(planned(recordId).sort()).toEqual(["/notes.txt", "com.acme:lib:1.0"]);
    send(recordId);
    deploy(followed, `${LIB}-sources.jar`);
    followed.grow(recordId);
    expect(send(recordId)).toEqual(["com.acme:lib:1.0"]);
  });

  test("a task with path constraints sends the matching files of a Maven version when it is complete", () => {
    const followed = follow({
      type: "MAVEN",
      pathConstraints: [{ path: "/com/acme/lib/1.0/*.jar" }, { path: "/notes.txt" }],
    });
    const { drain, planned, db, clusterId, taskKey } = followed;
    const before = newestEvent(db);
    deploy(
      followed,
      `${LIB}.jar`,
      `${LIB}.pom`,
      "/notes.txt",
      "/other.txt",
      "/com/acme/other/1/other-1.jar",
      "/com/acme/other/1/other-1.pom",
    );
    expect(findConcerned(db, before, Date.now())).toMatchObject([{ taskKey, clusterId }]);
    expect(planned(drain().recordId).sort()).toEqual([`${LIB}.jar`, "/notes.txt"]);
  });

  test("only a change of one of its packages wakes a task with package constraints", () => {
    const followed = follow({
      type: "MAVEN",
      packageConstraints: [{ packageKey: "gav://com.acme:lib", versions: [] }],
    });
    const before = newestEvent(followed.db);
    deploy(
      followed,
      "/notes.txt",
      "/com/acme/other/1/other-1.jar",
      "/com/acme/other/1/other-1.pom",
    );
    expect(findConcerned(followed.db, before, Date.now())).toEqual([]);
    deploy(followed, `${LIB}.jar`, `${LIB}.pom`);
    expect(findConcerned(followed.db, before, Date.now())).toHaveLength(1);
  });
});

test("a drain of a repository type that its cluster cannot receive fails with that reason", async () => {
  const followed = follow({ type: "MAVEN" }, { type: "REMOTE" });
  const { drain, close, begin } = followed;
  deploy(followed, "/com/acme/lib/1.0/lib-1.0.jar", "/com/acme/lib/1.0/lib-1.0.pom");
  const { recordId } = drain();
  expect(await close(recordId)).toMatchObject({
    status: "FAILED",
    planned: 0,
    errorReason: expect.stringContaining(
      "packages of a hosted MAVEN repository can be sent to another instance",
    ) as string,
  });
  expect(begin()).toEqual(IDLE);
});
