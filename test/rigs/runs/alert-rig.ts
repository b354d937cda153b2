import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { expect, test } from "vitest";
import type { Problem } from "../../../api/metrics/contract.ts";
import type { Alert } from "../../../domain/alerts.ts";
import { isAlerted } from "./alert-fixture.ts";
import type { Instance } from "./instance.ts";
import { scrapeOf } from "./metrics-fixture.ts";
import { openProduct, patiently } from "./run-fixture.ts";
import { startFileRig, type FileRig } from "./run-rig.ts";

/** Starts two instances, the first with one worker and the file /first in its hosted repository `files`. */
export async function startAlertRig(): Promise<FileRig> {
  const rig = await startFileRig({ env: { TRANSFER_WORKERS: "1" } });
  await rig.product.hosted(rig.projectId, "files");
  await rig.product.upload(rig.projectId, "files", "/first", Buffer.from("first"));
  return rig;
}

/** The task objects of a run of the repository `files`. */
export const OBJECTS = [{ localRepoName: "files", repoType: "GENERIC" as const }];

const problemsOf = (instance: Instance) =>
  patiently(() =>
    openProduct(instance).call<Omit<Problem, "since">[]>(
      "GET",
      "/replication/api/system/problems",
    ),
  );

/**
 * Waits until the API reports the problem and the instance's metrics make the alert's expression true;
 * returns the problem.
 */
export async function untilTold(
  instance: Instance,
  alert: Alert,
  subject: string,
  again: () => Promise<void> = async () => undefined,
): Promise<Omit<Problem, "since">> {
  for (const end = Date.now() + 180_000; ; await sleep(200)) {
    await again();
    const [problems, text] = [
      await problemsOf(instance),
      await patiently(() => scrapeOf(instance)),
    ];
    const found = problems.find(
      (problem) => problem.alert === alert && problem.subject === subject,
    );
    if (found && (await isAlerted(alert, text))) return found;
    if (Date.now() > end)
      throw new Error(
        `${alert} of ${subject} is not reported: ${JSON.stringify(problems)}`,
      );
  }
}

export async function untilOver(
  instance: Instance,
  alert: Alert,
  subject: string,
): Promise<void> {
  for (
    const end = Date.now() + 180_000;
    (await problemsOf(instance)).some(
      (problem) => problem.alert === alert && problem.subject === subject,
    );
    await sleep(500)
  ) {
    if (Date.now() > end)
      throw new Error(`${alert} of ${subject} is still reported after 180 s`);
  }
}

/** Stops an instance, changes its database as if time had passed, and starts it again. */
export async function rewrite(instance: Instance, statements: string): Promise<void> {
  await instance.stop();
  const db = new Sqlite(join(instance.dataDir, "replication.db"));
  db.exec(statements);
  db.close();
  await instance.restart();
}

/** A cause of an alert: how to bring it about, the alert's subject and message, and how to remove it. */
export type Cause = {
  what: string;
  alert: Alert;
  skip?: boolean;
  provoke: () => Promise<{ subject: string; says: RegExp; mend: () => Promise<unknown> }>;
};

/** Makes a test of each cause: its alert is raised while the cause lasts, and no longer once it is gone. */
export function testCauses(causes: Cause[], instance: () => Instance): void {
  for (const { what, alert, skip = false, provoke } of causes) {
    test.skipIf(skip)(`${what} raises ${alert} until the cause is gone`, async () => {
      const { subject, says, mend } = await provoke();
      try {
        expect((await untilTold(instance(), alert, subject)).message).toMatch(says);
      } finally {
        await mend();
      }
      await untilOver(instance(), alert, subject);
    });
  }
}

/** Tests the connection to the cluster "edge" now, instead of when it is due. */
export const connectEdge = ({ product }: FileRig) =>
  product
    .call("POST", "/replication/api/cluster/tryConnect?name=edge")
    .catch(() => undefined);

/** Returns the name of a task, which is the subject of its alerts. */
export const nameOf = async ({ product }: FileRig, key: string) =>
  (await product.task(key)).name;
