import { chineseOf } from "./chinese/reason.ts";
import { type Text, text } from "./text.ts";
import { formatTime } from "./time.ts";

/**
 * What a running execution waits for. Times in epoch ms; `since`: of the first failure in a row; `retryAt`: of the next
 * try, null: a try is under way.
 * - temporal, orchestrator, worker: a part of the service that is away.
 * - listing: a linked repository that cannot be listed at the moment.
 * - artifacts: artifacts that failed at a cluster and are tried again; `count` is at most MOST_COUNTED.
 * - turn: other runs hold the slots of the transfer workers.
 * - answers: a linked repository that is being listed; `pages`: how many pages have come.
 */
export type Wait =
  | { kind: "temporal" | "orchestrator" | "worker" }
  | {
      kind: "listing";
      repository: string;
      reason: string;
      since: number;
      tries: number;
      retryAt: number | null;
    }
  | {
      kind: "artifacts";
      cluster: string;
      reason: string;
      since: number;
      count: number;
      retryAt: number | null;
    }
  | { kind: "turn"; since: number }
  | { kind: "answers"; repository: string; pages: number };

/** Returns which parts of the service are away; the first of them keeps runs from going on. */
export function partsAway(
  { temporal, orchestrator }: { temporal: boolean; orchestrator: boolean },
  workers: number,
): Wait[] {
  return [
    ...(temporal ? [] : [{ kind: "temporal" } as const]),
    ...(orchestrator ? [] : [{ kind: "orchestrator" } as const]),
    ...(workers > 0 ? [] : [{ kind: "worker" } as const]),
  ];
}

/** From this number of waiting artifacts on they are not counted, and "more than" is said. */
export const MOST_COUNTED = 10_000;

/** Says what a run waits for: the first of `waits`, and how many others there are; null when it waits for nothing. */
export function waitText(waits: readonly Wait[], zone: string): Text | null {
  const [first, ...others] = waits;
  if (!first) return null;
  const { en, zh } = oneText(first, (time) => formatTime(time, zone));
  if (others.length === 0) return text(en, zh);
  return text(
    `${en} It waits for ${others.length} other ${others.length === 1 ? "thing" : "things"}, too.`,
    `${zh}另外还在等待 ${others.length} 项。`,
  );
}

function oneText(wait: Wait, at: (time: number) => string): Text {
  switch (wait.kind) {
    case "temporal":
      return text(
        "Temporal does not answer: GET /health/ready says why.",
        "Temporal 没有应答：GET /health/ready 会说明原因。",
      );
    case "orchestrator":
      return text(
        "The orchestrator is not ready: if that lasts, look into its log.",
        "编排进程尚未就绪：如果持续如此，请查看其日志。",
      );
    case "worker":
      return text(
        "No transfer worker is connected: set TRANSFER_WORKERS to at least 1, or start `npm run worker`.",
        "没有已连接的传输进程：请将 TRANSFER_WORKERS 设为至少 1，或启动 `npm run worker`。",
      );
    case "listing": {
      const { reason, since, tries, retryAt } = wait;
      return text(
        `${reason}. Tried ${tries === 1 ? "once" : `${tries} times`} since ${at(since)}; ${nextEn(retryAt, at)}.`,
        `${chineseOf(reason)}。自 ${at(since)} 起已尝试 ${tries} 次；${nextZh(retryAt, at)}。`,
      );
    }
    case "artifacts":
      return artifactsText(wait, at);
    case "turn":
      return text(
        `Its turn to send: other runs use the transfer workers (since ${at(wait.since)}).`,
        `等待轮到自己传输：其他执行正在使用传输进程（自 ${at(wait.since)} 起）。`,
      );
    case "answers":
      return text(
        `The list of ${wait.repository} is being read; ${wait.pages} pages have come.`,
        `正在读取 ${wait.repository} 的列表，已收到 ${wait.pages} 页。`,
      );
  }
}

function artifactsText(
  { cluster, reason, since, count, retryAt }: Extract<Wait, { kind: "artifacts" }>,
  at: (time: number) => string,
): Text {
  const many = count > MOST_COUNTED;
  const number = many ? MOST_COUNTED : count;
  const subject =
    count === 1 ? "1 artifact is" : `${many ? "More than " : ""}${number} artifacts are`;
  return text(
    `${subject} tried again at ${cluster} since ${at(since)}, ${nextEn(retryAt, at)}: ${reason}.`,
    `${many ? "超过 " : ""}${number} 个制品自 ${at(since)} 起在集群 ${cluster} 重试，${nextZh(retryAt, at)}：${chineseOf(reason)}。`,
  );
}

const nextEn = (retryAt: number | null, at: (time: number) => string): string =>
  retryAt === null ? "a try is under way" : `the next try is at ${at(retryAt)}`;

const nextZh = (retryAt: number | null, at: (time: number) => string): string =>
  retryAt === null ? "正在重试" : `下次重试时间 ${at(retryAt)}`;
