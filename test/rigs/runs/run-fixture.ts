import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import type {
  RecordDetail as DetailShape,
  RecordInfo as RecordShape,
} from "../../../api/records/shapes.ts";
import type { TaskInfo as TaskShape } from "../../../api/tasks/shapes.ts";
import { api, authorizationOf, type Instance } from "./instance.ts";

export type RecordInfo = z.output<typeof RecordShape>;
export type RecordDetail = z.output<typeof DetailShape>;
export type TaskInfo = z.output<typeof TaskShape>;

/** Settings of an instance whose answers have times in UTC, which tests can compare with the clock. */
export const UTC = { TIME_ZONE: "UTC" };
/** Settings with which no time slice breaks a batch off, so that no artifact is tried twice, and
 * no bytes are counted anew, on a slow machine. */
export const UNSLICED = { BATCH_SLICE: "1h" };
export const epoch = (time: string | null): number =>
  time === null ? Number.NaN : Date.parse(`${time}Z`);

export const sha256 = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");
export const unique = (prefix: string): string =>
  `${prefix}${randomBytes(4).toString("hex")}`;

type Access = {
  username?: string;
  password?: string;
  acceptedRealms?: string[] | null;
  certificate?: string;
  insecureSkipVerify?: boolean;
};
type Login = Pick<Instance, "url" | "username" | "password">;

export type TaskObject = {
  localRepoName: string;
  repoType: "GENERIC" | "OCI" | "DOCKER" | "MAVEN" | "NPM";
  remoteProjectId?: string;
  remoteRepoName?: string;
  packageConstraints?: {
    packageKey: string;
    versions?: string[];
    targetVersions?: string[];
  }[];
  pathConstraints?: { path: string }[];
};
export type TaskDraft = {
  projectId: string;
  objects: TaskObject[];
  clusters: string[];
  type?: "REPOSITORY" | "PACKAGE" | "PATH";
  setting?: Record<string, unknown>;
  record?: boolean;
  replicaType?: "SCHEDULED" | "REAL_TIME";
};

export type Product = ReturnType<typeof openProduct>;

/** Returns the actions of a user on an instance, over REST. Every unsuccessful answer throws with its text. */
export function openProduct(instance: Login) {
  const send = api(instance);
  const authorization = authorizationOf(instance);

  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await send(method, path, body);
    const envelope = answer.body as { code: number; data: T };
    if (answer.status !== 200 || envelope.code !== 0)
      throw new Error(
        `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`,
      );
    return envelope.data;
  }

  async function cluster(
    name: string,
    type: "STANDALONE" | "REMOTE",
    access: { url: string } & Access,
  ): Promise<string> {
    await call("POST", "/replication/api/cluster/create", {
      name,
      type,
      ...access,
      ping: false,
    });
    const found = await call<{ id: string; name: string }[]>(
      "GET",
      `/replication/api/cluster/list?name=${name}`,
    );
    return found.find((one) => one.name === name)?.id ?? "";
  }

  const fileUrl = (projectId: string, name: string, path: string) =>
    `${instance.url}/generic/${projectId}/${name}${path}`;

  return {
    call,
    project: (name: string) =>
      call("POST", "/repository/api/project/create", {
        name,
        displayName: name,
        description: "",
      }),
    hosted: (projectId: string, name: string, type = "GENERIC") =>
      call("POST", "/repository/api/repo/create", {
        projectId,
        name,
        type,
        category: "LOCAL",
        public: false,
      }),
    linked: (
      projectId: string,
      name: string,
      url: string,
      credentials?: { username: string; password: string },
      type: TaskObject["repoType"] = "OCI",
    ) =>
      call("POST", "/repository/api/repo/create", {
        projectId,
        name,
        type,
        category: "REMOTE",
        public: false,
        configuration: { type: "remote", url, ...(credentials && { credentials }) },
      }),
    async upload(
      projectId: string,
      name: string,
      path: string,
      bytes: Uint8Array,
      headers: Record<string, string> = {},
    ): Promise<void> {
      const answer = await fetch(fileUrl(projectId, name, path), {
        method: "PUT",
        headers: { authorization, ...headers },
        body: new Uint8Array(bytes),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${text}`);
    },
    async download(
      projectId: string,
      name: string,
      path: string,
    ): Promise<Buffer | null> {
      const answer = await fetch(fileUrl(projectId, name, path), {
        headers: { authorization },
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 404) return null;
      if (!answer.ok)
        throw new Error(`GET ${path}: ${answer.status} ${bytes.toString()}`);
      return bytes;
    },
    registry: (name: string, url: string, access: Access = {}) =>
      cluster(name, "REMOTE", { url, ...access }),
    /** Adds another instance as a cluster; `url`: the address of a proxy before it, if there is one. */
    partner: (name: string, other: Login, url = other.url, access: Access = {}) =>
      cluster(name, "STANDALONE", {
        ...access,
        url,
        username: other.username,
        password: other.password,
      }),
    /** Creates a task, which starts at once unless its setting says otherwise, and returns its key. */
    async run({
      projectId,
      objects,
      clusters,
      type = "REPOSITORY",
      setting = {},
      record = true,
      replicaType = "SCHEDULED",
    }: TaskDraft): Promise<string> {
      const { key } = await call<TaskInfo>("POST", "/replication/api/task/create", {
        name: unique("task-"),
        localProjectId: projectId,
        replicaObjectType: type,
        replicaTaskObjects: objects,
        replicaType,
        setting,
        remoteClusterIds: clusters,
        record,
      });
      return key;
    },
    execute: (key: string) => call<null>("POST", `/replication/api/task/execute/${key}`),
    stop: (key: string) =>
      call<{ stopped: boolean }>("POST", `/replication/api/task/stop/${key}`),
    toggle: (key: string) =>
      call<null>("POST", `/replication/api/task/toggle/status/${key}`),
    remove: (key: string) => call<null>("DELETE", `/replication/api/task/delete/${key}`),
    task: (key: string) => call<TaskInfo>("GET", `/replication/api/task/info/${key}`),
    /** Reads only the newest record, because a task may have many. */
    async newestRecord(key: string): Promise<RecordInfo | undefined> {
      const page = await call<{ records: RecordInfo[] }>(
        "GET",
        `/replication/api/task/record/page/${key}?pageNumber=1&pageSize=1`,
      );
      return page.records[0];
    },
    /** Returns all records of a task, the newest first. */
    records: (key: string) =>
      call<RecordInfo[]>("GET", `/replication/api/task/record/list/${key}`),
    details: (recordId: string) =>
      call<RecordDetail[]>("GET", `/replication/api/task/record/detail/list/${recordId}`),
  };
}

export type Counts = NonNullable<RecordInfo["replicaOverview"]>;

/** Returns the newest record of a task after checking that its counts add up; waits while the API is unreachable. */
export async function newest(
  product: Product,
  key: string,
): Promise<RecordInfo & { counts: Counts }> {
  const record = await patiently(() => product.newestRecord(key));
  const counts = record?.replicaOverview;
  if (record === undefined || counts === null || counts === undefined)
    throw new Error(`task ${key} has no record`);
  const { planned, success, failed, notDone, skip } = counts;
  if (planned !== success + failed + notDone || skip > success)
    throw new Error(`counts do not add up: ${JSON.stringify(counts)}`);
  return { ...record, counts };
}

/**
 * Follows the newest record of a task until `done`. At every look, the counts must add up and no ended artifact may be
 * undone.
 */
export async function follow(
  product: Product,
  key: string,
  done: (record: RecordInfo & { counts: Counts }) => boolean,
  withinMs = 300_000,
): Promise<RecordInfo & { counts: Counts }> {
  let before = { id: "", ended: 0 };
  for (const end = Date.now() + withinMs; ; await sleep(25)) {
    const record = await newest(product, key);
    const ended = record.counts.success + record.counts.failed;
    if (record.id === before.id && ended < before.ended)
      throw new Error(
        `${before.ended} artifacts had ended, now only ${ended}: ${JSON.stringify(record)}`,
      );
    before = { id: record.id, ended };
    if (done(record)) return record;
    if (Date.now() > end)
      throw new Error(
        `the run is not as expected after ${withinMs} ms: ${JSON.stringify(record)}`,
      );
  }
}

export const closed = (product: Product, key: string, withinMs?: number) =>
  follow(product, key, ({ status }) => status !== "RUNNING", withinMs);

/** Repeats `work` while the API is unreachable: the supervisor restarts a control plane that a test killed. */
export async function patiently<T>(
  work: () => Promise<T>,
  withinMs = 180_000,
): Promise<T> {
  for (const end = Date.now() + withinMs; ; await sleep(100)) {
    try {
      return await work();
    } catch (error) {
      const away = error instanceof TypeError && error.message === "fetch failed";
      if (!away || Date.now() > end) throw error;
    }
  }
}

/** Waits until `condition` returns true, also while the API is unreachable; throws after `withinMs`. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  withinMs = 180_000,
): Promise<void> {
  for (
    const end = Date.now() + withinMs;
    !(await patiently(condition));
    await sleep(50)
  ) {
    if (Date.now() > end) throw new Error(`${what}: not within ${withinMs} ms`);
  }
}

/**
 * Returns a generator of numbers from 0 up to but not including 1; the same seed gives the same numbers
 * (mulberry32).
 */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Collects what must be ended, so that everything started is ended even if a later start failed. */
export function createCleanup() {
  const ends: (() => Promise<unknown>)[] = [];
  return {
    async keep<T>(
      starting: Promise<T>,
      end: (started: T) => Promise<unknown>,
    ): Promise<T> {
      const started = await starting;
      ends.push(() => end(started));
      return started;
    },
    all: async () => void (await Promise.allSettled(ends.map((end) => end()))),
  };
}

/** Creates a promise (`until`) that resolves when `letGo` is called. */
export function createGate() {
  const gate = new EventTarget();
  const until = new Promise<void>((resolve) => {
    gate.addEventListener("open", () => resolve());
  });
  return { until, letGo: () => void gate.dispatchEvent(new Event("open")) };
}
