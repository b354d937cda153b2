import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { createInternalSigner } from "../../activities/secrets/internal.ts";
import {
  type Cause,
  connectEdge,
  OBJECTS,
  startAlertRig,
  testCauses,
} from "../rigs/runs/alert-rig.ts";
import { makeIdentity } from "../rigs/runs/remote-worker.ts";
import { closed } from "../rigs/runs/run-fixture.ts";
import type { FileRig } from "../rigs/runs/run-rig.ts";
import { mountDisk } from "../rigs/servers/disk.ts";

const MINUTE = 60_000;
const disk = mountDisk("a full disk is not provoked", 512);
const usualFolder = process.env["TMPDIR"];

let rig: FileRig;
beforeAll(async () => {
  if (disk !== null) process.env["TMPDIR"] = disk.folder;
  rig = await startAlertRig();
  if (usualFolder === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = usualFolder;
});
afterEach(() => {
  rig.proxy.fault = () => null;
});
afterAll(async () => {
  await rig?.end();
  disk?.unmount();
});

const connect = () => connectEdge(rig);
const change = (password: string) =>
  rig.product.call("POST", "/replication/api/cluster/update", {
    name: "edge",
    url: rig.proxy.url,
    username: rig.edge.username,
    password,
    ping: false,
  });
const CAUSES: Cause[] = [
  {
    what: "a cluster that cannot be reached",
    alert: "ClusterDown",
    async provoke() {
      rig.proxy.fault = () => ({ kind: "reset" });
      await connect();
      const mend = async () => {
        rig.proxy.fault = () => null;
        await connect();
      };
      return { subject: "edge", says: /cannot be used/, mend };
    },
  },
  {
    what: "a password that has become wrong",
    alert: "CredentialsRefused",
    async provoke() {
      await change("another one");
      await connect();
      return {
        subject: "edge",
        says: /refuses our credentials: .*password/i,
        mend: () => change(rig.edge.password).then(connect),
      };
    },
  },
  {
    what: "a cluster that answers slowly",
    alert: "ClusterSlow",
    async provoke() {
      const { product, projectId, cluster } = rig;
      rig.proxy.fault = () => ({ kind: "latency", ms: 8_000 });
      const key = await product.run({ projectId, objects: OBJECTS, clusters: [cluster] });
      const mend = async () => {
        rig.proxy.fault = () => null;
        await closed(product, key);
      };
      return { subject: "edge", says: /answers slowly/, mend };
    },
  },
  {
    what: "a worker whose clock is wrong",
    alert: "WorkerRefused",
    async provoke() {
      const { center } = rig;
      const path = "/internal/v1/worker";
      const signer = createInternalSigner(await makeIdentity(center));
      const sign = () =>
        signer.headers("GET", path, "", { "x-internal-worker": "far/1" });
      const ask = (headers: Record<string, string>) =>
        fetch(center.url + path, { headers });
      const clock = Date.now;
      Date.now = () => clock() - 10 * MINUTE;
      const late = sign();
      Date.now = clock;
      expect((await ask(late)).status).toBe(401);
      return {
        subject: "far/1",
        says: /is given no work: .*clock/,
        mend: () => ask(sign()),
      };
    },
  },
  {
    what: "a disk that is nearly full",
    alert: "DiskLow",
    skip: disk === null,
    async provoke() {
      disk?.fill(30 * 1024 ** 2);
      return {
        subject: "DATA_DIR",
        says: /MiB of 512 MiB are free/,
        mend: async () => disk?.empty(),
      };
    },
  },
];

describe("alerts about clusters, workers and the disk", { timeout: 480_000 }, () => {
  testCauses(CAUSES, () => rig.center);
});
