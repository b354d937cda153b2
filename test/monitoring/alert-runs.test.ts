import { afterAll, afterEach, beforeAll, describe } from "vitest";
import {
  type Cause,
  connectEdge,
  nameOf,
  OBJECTS,
  rewrite,
  startAlertRig,
  testCauses,
} from "../rigs/runs/alert-rig.ts";
import { closed, follow, unique } from "../rigs/runs/run-fixture.ts";
import type { FileRig } from "../rigs/runs/run-rig.ts";

const MINUTE = 60_000;

let rig: FileRig;
beforeAll(async () => {
  rig = await startAlertRig();
});
afterEach(() => {
  rig.proxy.fault = () => null;
});
afterAll(() => rig?.end());

const CAUSES: Cause[] = [
  {
    what: "a file that was changed at the target",
    alert: "ConflictsLeftAlone",
    async provoke() {
      const { product, partner, projectId, cluster } = rig;
      const key = await product.run({
        projectId,
        objects: OBJECTS,
        clusters: [cluster],
        setting: { conflictStrategy: "SKIP" },
      });
      await closed(product, key);
      await partner.upload(projectId, "files", "/first", Buffer.from("changed"), {
        "X-BKREPO-OVERWRITE": "true",
      });
      await product.execute(key);
      await closed(product, key);
      const mend = async () => {
        await partner.upload(projectId, "files", "/first", Buffer.from("first"), {
          "X-BKREPO-OVERWRITE": "true",
        });
        await product.execute(key);
        await closed(product, key);
      };
      return {
        subject: `${await nameOf(rig, key)} → edge`,
        says: /^1 artifacts .* left alone/,
        mend,
      };
    },
  },
  {
    what: "a target that hangs",
    alert: "RunStalled",
    async provoke() {
      const { product, projectId, cluster, center } = rig;
      rig.proxy.clear();
      rig.proxy.fault = ({ path }) =>
        path.includes("/sync/v1/files/") ? { kind: "hang" } : null;
      await product.upload(projectId, "files", unique("/second-"), Buffer.from("second"));
      const key = await product.run({ projectId, objects: OBJECTS, clusters: [cluster] });
      await follow(product, key, () =>
        rig.proxy.requests.some(
          ({ path, closed }) => path.includes("/sync/v1/files/") && closed === null,
        ),
      );
      await rewrite(
        center,
        `UPDATE record SET start_time = start_time - ${20 * MINUTE} WHERE status = 'RUNNING';
         UPDATE detail SET start_time = start_time - ${20 * MINUTE}`,
      );
      const mend = async () => {
        rig.proxy.fault = () => null;
        await product.stop(key);
        await closed(product, key);
      };
      return {
        subject: await nameOf(rig, key),
        says: /has had no outcome and moved no byte for 2\d min/,
        mend,
      };
    },
  },
  {
    what: "an upload that a cluster does not receive",
    alert: "RealTimeLag",
    async provoke() {
      const { product, projectId, cluster, center } = rig;
      rig.proxy.fault = () => ({ kind: "reset" });
      const key = await product.run({
        projectId,
        objects: OBJECTS,
        clusters: [cluster],
        replicaType: "REAL_TIME",
      });
      await product.upload(projectId, "files", unique("/third-"), Buffer.from("third"));
      await rewrite(
        center,
        `UPDATE event SET created_date = created_date - ${10 * MINUTE};
         UPDATE pending SET since = since - ${10 * MINUTE}`,
      );
      const mend = async () => {
        rig.proxy.fault = () => null;
        await connectEdge(rig);
      };
      return {
        subject: `${await nameOf(rig, key)} → edge`,
        says: /lacks an upload of 1\d min/,
        mend,
      };
    },
  },
  {
    what: "a scheduled time that passed without a run",
    alert: "TaskOverdue",
    async provoke() {
      const { product, projectId, cluster, center } = rig;
      const hour = (new Date().getUTCHours() + 12) % 24;
      const executionPlan = {
        executeImmediately: false,
        cronExpression: `0 0 ${hour} * * ?`,
        timeZone: "UTC",
      };
      const key = await product.run({
        projectId,
        objects: OBJECTS,
        clusters: [cluster],
        setting: { executionStrategy: "CRON_EXPRESSION", executionPlan },
      });
      await rewrite(
        center,
        `UPDATE task SET last_modified_date = last_modified_date - ${48 * 60 * MINUTE} WHERE key = '${key}'`,
      );
      const mend = async () => {
        await product.execute(key);
        await closed(product, key);
      };
      return {
        subject: await nameOf(rig, key),
        says: /should have run 1 d \d+ h ago|should have run \d+ h/,
        mend,
      };
    },
  },
];

describe("alerts about runs and tasks", { timeout: 480_000 }, () => {
  testCauses(CAUSES, () => rig.center);
});
