import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect } from "vitest";
import { largeBody } from "../../rigs/servers/faulty-bodies.ts";
import { during, getting, large, sink, writing } from "../../rigs/servers/faulty.ts";
import { never, using } from "./reading.ts";
import { wire, type Case } from "./rig.ts";
import { contentOf, withParts } from "./writing.ts";

const SIZE = 1024 ** 3;
const EVERY = 32 * 1024 ** 2;
/** Maximum growth of the test process's memory in bytes; the buffers of the proxy are in the same process. */
const MOST_GROWTH = 200 * 1024 ** 2;

export const MEMORY_CASES = {
  "reads 1 GiB in flat memory": {
    needs: ["read", "wire"],
    async run(rig) {
      const artifact = rig.large(SIZE);
      const part = artifact.parts.at(-1);
      if (part === undefined) throw new Error("the large artifact has no part");
      const memory = watched();
      await using(rig.connector.source?.(rig.from.end(), rig.type), async (source) => {
        const reading = async () => {
          const { chunks } = await source.open(artifact, part, 0, never());
          for await (const chunk of chunks) memory.passed(chunk.length);
        };
        await during(wire(rig.from), getting(large(SIZE)), reading);
      });
      expect(memory.bytes()).toBe(SIZE);
      expect(memory.growth()).toBeLessThan(MOST_GROWTH);
    },
  },
  "writes 1 GiB in flat memory": {
    needs: ["put", "wire"],
    async run(rig) {
      const artifact = rig.large(SIZE);
      const memory = watched();
      const { content } = contentOf((_part, offset) =>
        memory.through(largeBody(SIZE, offset)),
      );
      const { requests } = await during(
        wire(rig.to),
        writing(sink(rig.takes.status, rig.takes.body)),
        () =>
          withParts(rig, {}, (target) => target.put(artifact, artifact.parts, content)),
      );
      expect(requests.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThanOrEqual(
        SIZE,
      );
      expect(memory.growth()).toBeLessThan(MOST_GROWTH);
    },
  },
} satisfies Record<string, Case>;

/** Measures how much the memory of the process grows while bytes pass. */
function watched() {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const before = process.memoryUsage.rss();
  let [bytes, seen, most] = [0, 0, 0];
  const passed = (length: number): void => {
    bytes += length;
    if (bytes - seen < EVERY && bytes < SIZE) return;
    seen = bytes;
    most = Math.max(most, process.memoryUsage.rss());
  };
  return {
    passed,
    async *through(
      source: AsyncIterable<Buffer>,
    ): AsyncGenerator<Buffer, void, undefined> {
      for await (const chunk of source) {
        passed(chunk.length);
        yield chunk;
      }
    },
    bytes: () => bytes,
    growth: () => Math.max(0, most - before),
  };
}
