import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * The slowest test files. They start first, because a slow file that starts last leaves the other test
 * processes idle.
 */
const LONGEST = [
  "runs/kill-runs",
  "runs/killer-batch",
  "runs/real-time-tasks",
  "runs/real-time-clusters",
  "runs/real-time",
  "runs/fairness",
  "runs/replayed",
  "hosted/maven/clients",
  "monitoring/alert-causes",
  "monitoring/alert-runs",
  "monitoring/alert-processes",
  "runs/npm",
  "runs/npm-targets",
  "runs/npm-hosted",
  "registries/npm",
  "runs/stuck",
  "runs/kill-packages",
  "runs/workers",
  "runs/package-clients",
  "schedules/outage",
  "runs/lost",
  "runs/many-objects",
  "runs/slices",
  "runs/hosted-images",
  "runs/hosted-images-real-time",
  "runs/linked-images",
  "runs/kill-big-blob",
  "product/supervisor",
  "product/readme-walk",
  "registries/instance",
  "runs/maven-packages",
  "runs/npm-packages",
  "runs/kill-images",
  "hosted/npm/server",
  "workflows/replay",
  "images/resume",
  "schedules/instance",
  "runs/images",
  "runs/image-stops",
  "runs/restored",
  "runs/bad-luck-silence",
].map((name) => `test/${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const nameOf = ({ moduleId }: TestSpecification) =>
      relative(this.ctx.config.root, moduleId);
    const sorted = await super.sort(files);
    const longest = LONGEST.flatMap(
      (name) => sorted.find((file) => nameOf(file) === name) ?? [],
    );
    return [...longest, ...sorted.filter((file) => !longest.includes(file))];
  }
}
