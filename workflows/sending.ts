import {
  type ChildWorkflowHandle,
  isCancellation,
  startChild,
  workflowInfo,
} from "@temporalio/workflow";
import type { FirstTarget } from "../activities/control/drains.ts";
import type { RealTimeRunInput } from "./contract.ts";
import { moreSignal, targetRun } from "./target-run.ts";
import { targetOptions } from "./targets.ts";
import { transfer } from "./transfer.ts";

type Child = {
  started: Promise<ChildWorkflowHandle<typeof targetRun>>;
  ended: Promise<void>;
};

/**
 * Creates a sender for a drain: it sends first the batches that were cut with the drain, everything else
 * through one child for each object. A child starts when its object has something to send, and gets a
 * signal when it has more.
 */
export function createSending(
  input: RealTimeRunInput,
  { recordId, objects }: { recordId: string; objects: number },
) {
  const children = new Map<number | null, Child>();
  const cuts = new Map<number | null, number>();
  let busy = 0;
  let broken: unknown;

  function start(target: FirstTarget): Child {
    const runId = `${workflowInfo().workflowId}/${recordId}`;
    const started = startChild(
      targetRun,
      targetOptions(
        input,
        { runId, recordId, objects, cut: cuts.get(target.object) ?? 1 },
        target,
      ),
    );
    const ended = started
      .then((handle) => handle.result())
      .then(({ cut }) => void cuts.set(target.object, cut))
      .finally(() => children.delete(target.object));
    const child = { started, ended };
    children.set(target.object, child);
    return child;
  }

  async function sendFirst({ first, ...target }: FirstTarget): Promise<void> {
    if (!first) return sendTo(target);
    cuts.set(target.object, 2);
    const results = await Promise.all(
      first.batches.map((batch) =>
        transfer({ queues: input.queues, form: input.form, recordId }, batch),
      ),
    );
    if (first.left || results.some(({ again, rest = 0 }) => again + rest > 0))
      await sendTo(target);
  }

  async function sendTo(target: FirstTarget): Promise<void> {
    const child = children.get(target.object);
    if (!child) return start(target).ended;
    try {
      await (await child.started).signal(moreSignal);
    } catch (error) {
      if (isCancellation(error)) throw error;
      // The signal failed because the child has ended already: start another one.
      await child.ended;
      await sendTo(target);
    }
  }

  return {
    send(target: FirstTarget): void {
      busy += 1;
      void sendFirst(target)
        .catch((error: unknown) => {
          broken ??= error;
        })
        .finally(() => (busy -= 1));
    },
    isOver: () => busy === 0,
    /** Throws the first error of a batch or child, if there was one. */
    end(): void {
      if (broken !== undefined) throw broken;
    },
  };
}
