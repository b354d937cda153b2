import { expect } from "vitest";
import { readWhole } from "../../rigs/servers/faulty-bodies.ts";
import {
  cutRequest,
  during,
  lost,
  nth,
  watching,
  writing,
} from "../../rigs/servers/faulty.ts";
import type { Artifact, Part } from "../../../domain/artifact.ts";
import { TransferError } from "../../../domain/failure.ts";
import type { UploadState } from "../../../domain/outcome.ts";
import { LARGE, stepsOf, type Step } from "./operations.ts";
import { describeOne, never, onceFor, readAll, shown, using } from "./reading.ts";
import { ABILITIES, type Case, type Rig, type Sample, wire } from "./rig.ts";
import {
  comparisons,
  contentOf,
  deliver,
  pieces,
  withParts,
  type Delivery,
} from "./writing.ts";

/** Expects that the server's own client finds the sample and nothing else. */
async function expectThere(rig: Rig, sample: Sample): Promise<void> {
  expect(shown(await rig.to.read(sample)), "what its own client reads back").toEqual(
    shown(sample.contents),
  );
}

const written = onceFor(async (rig) => {
  const sample = rig.sample();
  expect(await deliver(rig, sample)).toEqual({ kind: "sent" });
  return sample;
});

/** The bytes of the largest request in the write of a large artifact. */
const bytesOfAWrite = onceFor(async (rig) => {
  const { requests } = await watching(rig.to.proxy, () =>
    deliver(rig, rig.sample({ size: LARGE })),
  );
  return Math.max(...requests.map(({ bytes }) => bytes));
});

export const WRITING_CASES = {
  "reads byte for byte what another client put there": {
    needs: ["read"],
    async run(rig) {
      const sample = rig.sample({ size: LARGE });
      await rig.from.fill(sample);
      expect(shown(await readAll(rig, sample))).toEqual(shown(sample.contents));
    },
  },
  "reads from any offset to the end": {
    needs: ["read"],
    async run(rig) {
      const sample = rig.sample({ size: 200_000 });
      await rig.from.fill(sample);
      await using(rig.connector.source?.(rig.from.end(), rig.type), async (source) => {
        const artifact = await describeOne(source, sample);
        if (artifact === null) throw new Error("what was filled in is not described");
        for (const [path, bytes] of sample.contents) {
          for (const offset of [1, Math.floor(bytes.length / 2), bytes.length - 1]) {
            const { size, chunks } = await source.open(
              artifact,
              partAt(artifact, path),
              offset,
              never(),
            );
            expect(
              (await readWhole(chunks)).equals(bytes.subarray(offset)),
              `${path} from ${offset}`,
            ).toBe(true);
            expect([null, bytes.length]).toContain(size);
          }
        }
      });
    },
  },
  "writes content that the server's own client reads back byte for byte": {
    needs: ["write"],
    run: async (rig) => expectThere(rig, await written(rig)),
  },
  "finds its own writes equal, and does not write them again": {
    needs: ["write"],
    async run(rig) {
      const sample = await written(rig);
      const { answer, requests } = await watching(rig.to.proxy, () =>
        deliver(rig, sample),
      );
      expect(answer).toEqual({ kind: "same" });
      expect(requests.filter(({ bytes }) => bytes >= smallest(sample))).toEqual([]);
    },
  },
  "finds equal content of another client equal": {
    needs: ["write"],
    async run(rig) {
      const sample = rig.sample();
      await rig.to.fill(sample);
      expect(await deliver(rig, sample)).toEqual({ kind: "same" });
    },
  },
  "finds other content different, and keeps it": {
    needs: ["write"],
    async run(rig) {
      const sample = await written(rig);
      expect(await deliver(rig, rig.sample({ instead: sample }))).toEqual({
        kind: "different",
      });
      await expectThere(rig, sample);
    },
  },
  "never finds the rest of a cut write equal, and completes it": {
    needs: ["write", "wire"],
    async run(rig) {
      const most = await bytesOfAWrite(rig);
      for (const at of [1_000, Math.floor(most / 2), most - 1_000])
        await cutAndCompleted(rig, at);
    },
  },
  "fails with the error of a broken source, never finds the rest of that write equal, and completes it":
    {
      needs: ["put"],
      async run(rig) {
        const sample = rig.sample({ size: LARGE });
        const { content } = contentOf((part, offset) =>
          brokenOff(pieces(sample.contents, part, offset)),
        );
        const writing = withParts(rig, {}, (target) =>
          target.put(sample.artifact, sample.artifact.parts, content),
        );
        await expect(writing).rejects.toMatchObject({
          kind: "server",
          message: BROKEN_OFF,
        });
        const found = await withParts(rig, {}, (target) => comparisons(target, sample));
        expect(found).not.toEqual(found.map(() => "same"));
        expect(await deliver(rig, sample, { again: true })).toEqual({ kind: "sent" });
        await expectThere(rig, sample);
      },
    },
  "detects that a write succeeded whose answer was lost": {
    needs: ["write", "wire"],
    async run(rig) {
      const { answer: blind } = await during(wire(rig.to), writing(lost), () =>
        deliver(rig, rig.sample()),
      );
      expect(blind).toMatchObject({ kind: "again" });
      for (const each of await stepsOf(rig)) await lostAndFound(rig, each);
    },
  },
  "reads its own writes back": {
    needs: ["put", "reread"],
    async run(rig) {
      const sample = await written(rig);
      await withParts(rig, {}, async ({ open }) => {
        for (const part of sample.artifact.parts) {
          const opened = await open?.(sample.artifact, part, never());
          const bytes = opened === undefined ? null : await readWhole(opened.chunks);
          expect(
            bytes?.equals(sample.contents.get(part.path) ?? Buffer.alloc(0)),
            part.path,
          ).toBe(true);
        }
      });
    },
  },
} satisfies Record<string, Case>;

async function lostAndFound(rig: Rig, { size, step }: Step): Promise<void> {
  const what = `${size} bytes without the answer to request ${step}`;
  const sample = rig.sample({ size });
  const { answer: first } = await during(
    wire(rig.to),
    nth(step, lost, { does: "write" }),
    () => deliver(rig, sample),
  );
  // The write may succeed although the answer to this request was lost.
  expect(["again", "sent"], what).toContain(first.kind);
  const { kind } = await deliver(rig, sample, { again: true, uploads: uploadsOf(first) });
  expect(["sent", "same"], what).toContain(kind);
  await expectThere(rig, sample);
}

const BROKEN_OFF = "the source broke off";

/** Yields half of the pieces, then fails with the error of their source. */
async function* brokenOff(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  const all: Buffer[] = [];
  for await (const piece of source) all.push(piece);
  yield* all.slice(0, all.length / 2);
  throw new TransferError("server", BROKEN_OFF);
}

async function cutAndCompleted(rig: Rig, at: number): Promise<void> {
  const sample = rig.sample({ size: LARGE });
  const { answer: first } = await during(wire(rig.to), writing(cutRequest(at)), () =>
    deliver(rig, sample),
  );
  expect(first, `cut after ${at} bytes`).toMatchObject({ kind: "again" });
  const left = shown(await rig.to.read(sample));
  const isWhole = JSON.stringify(left) === JSON.stringify(shown(sample.contents));
  if (!isWhole && ABILITIES.put(rig)) {
    const found = await withParts(rig, {}, (target) => comparisons(target, sample));
    expect(found, `after a cut that left ${JSON.stringify(left)}`).not.toEqual(
      found.map(() => "same"),
    );
  }
  const again = await deliver(rig, sample, { again: true, uploads: uploadsOf(first) });
  expect(again, `the write after a cut at ${at}`).toEqual({
    kind: isWhole ? "same" : "sent",
  });
  await expectThere(rig, sample);
}

const uploadsOf = (delivery: Delivery): UploadState[] =>
  "uploads" in delivery ? delivery.uploads : [];
const smallest = ({ contents }: Sample): number =>
  Math.min(...[...contents.values()].map(({ length }) => length));

function partAt({ parts }: Artifact, path: string): Part {
  const part = parts.find((each) => each.path === path);
  if (part === undefined) throw new Error(`what is described has no part ${path}`);
  return part;
}
