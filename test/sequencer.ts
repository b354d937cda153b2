import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take longest, which begin first: one that begins last is waited for by idle lanes. */
const LONGEST = [
  "kill-runs",
  "killer-batch",
  "real-time",
  "fairness",
  "runs-replayed",
  "maven-clients",
  "alert-causes",
  "npm-runs",
  "registries/npm",
  "runs-stuck",
  "kill-packages",
  "runs-workers",
  "package-copy-clients",
  "schedules-outage",
  "runs-lost",
  "runs-many-objects",
  "slices",
  "packages-images-copy",
  "kill-big-blob",
  "supervisor",
  "registries/instance",
  "package-copy-runs",
  "packages-images-kill",
  "npm-server",
  "replay",
  "image-resume",
  "schedules-instance",
  "runs-images",
  "runs-restored",
  "bad-luck-silence",
].map((name) => `test/${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const nameOf = ({ moduleId }: TestSpecification) => relative(this.ctx.config.root, moduleId);
    const sorted = await super.sort(files);
    const longest = LONGEST.flatMap((name) => sorted.find((file) => nameOf(file) === name) ?? []);
    return [...longest, ...sorted.filter((file) => !longest.includes(file))];
  }
}
