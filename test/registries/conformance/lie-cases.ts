import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import { readWhole } from "../../rigs/servers/faulty-bodies.ts";
import {
  asking,
  during,
  watching,
  flipped,
  getting,
  half,
  header,
  lyingLength,
  portal,
  zipped,
  type Rule,
} from "../../rigs/servers/faulty.ts";
import type { Fault } from "../../rigs/servers/proxy.ts";
import { operations, troubleOf } from "./operations.ts";
import {
  describeOne,
  never,
  onceFor,
  orFailure,
  readAll,
  readPart,
  shown,
  using,
} from "./reading.ts";
import { wire, type Case, type Rig } from "./rig.ts";

const OFFSET = 1_000;

const honest = onceFor(async (rig) => {
  const sample = rig.sample({ size: 50_000 });
  await rig.from.fill(sample);
  return sample;
});

/** Expects that a complete read under the rule, descriptions included, returns the right content or fails. */
async function neverBelieves(rig: Rig, rule: Rule, what: string): Promise<void> {
  const sample = await honest(rig);
  const { answer } = await during(wire(rig.from), rule, () =>
    orFailure(readAll(rig, sample)),
  );
  if (!(answer instanceof Error))
    expect(shown(answer), what).toEqual(shown(sample.contents));
}

/** Expects that a read fails if only the answer with the content has the fault. */
async function findsOut(rig: Rig, fault: Fault, what: string): Promise<void> {
  const sample = await honest(rig);
  await using(rig.connector.source?.(rig.from.end(), rig.type), async (source) => {
    const artifact = await describeOne(source, sample);
    for (const part of artifact?.parts ?? []) {
      const { answer } = await during(wire(rig.from), getting(fault), () =>
        orFailure(
          artifact === null ? Promise.resolve(null) : readPart(source, artifact, part),
        ),
      );
      expect(answer, `${part.path} with ${what}`).toBeInstanceOf(Error);
    }
  });
}

/** Compresses every answer with gzip and gives it this Content-Encoding, although the request accepts none. */
const coded = (encoding: string): Fault => ({
  kind: "alter",
  headers: { "content-encoding": encoding },
  body: (whole) => gzipSync(whole),
});

export const LIE_CASES = {
  "refuses content whose length differs from the stated one": {
    needs: ["read", "wire"],
    async run(rig) {
      await findsOut(rig, lyingLength(10), "10 bytes fewer than stated");
      await findsOut(rig, lyingLength(-10), "10 bytes more than stated");
      await findsOut(rig, half, "half of its bytes");
      await findsOut(
        rig,
        { kind: "alter", body: (whole) => Buffer.concat([whole, Buffer.from("more")]) },
        "more bytes than there are",
      );
    },
  },
  "refuses content of the right length with other bytes": {
    needs: ["read", "wire"],
    run: (rig) => findsOut(rig, flipped, "one bit changed"),
  },
  "refuses an HTML page in place of content": {
    needs: ["read", "wire"],
    run: (rig) => findsOut(rig, portal, "an HTML page"),
  },
  "refuses a range that was not requested": {
    needs: ["read", "wire"],
    async run(rig) {
      const sample = await honest(rig);
      await using(rig.connector.source?.(rig.from.end(), rig.type), async (source) => {
        const artifact = await describeOne(source, sample);
        const part = artifact?.parts.at(-1);
        if (artifact === null || part === undefined)
          throw new Error("what was filled in is not described");
        const bytes = sample.contents.get(part.path) ?? Buffer.alloc(0);
        for (const start of [0, OFFSET - 1, OFFSET + 1, null]) {
          const range =
            start === null
              ? {}
              : { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
          const wrong: Fault = {
            kind: "answer",
            status: 206,
            headers: range,
            body: bytes.subarray(start ?? 0),
          };
          const reading = async () =>
            readWhole((await source.open(artifact, part, OFFSET, never())).chunks);
          const { answer } = await during(wire(rig.from), getting(wrong), () =>
            orFailure(reading()),
          );
          if (!(answer instanceof Error))
            expect(answer.equals(bytes.subarray(OFFSET)), `the range from ${start}`).toBe(
              true,
            );
        }
      });
    },
  },
  "never accepts an answer with a wrong length, type or digest": {
    needs: ["read", "wire"],
    async run(rig) {
      for (const by of [10, -10])
        await neverBelieves(
          rig,
          asking(lyingLength(by)),
          `lengths that are wrong by ${by}`,
        );
      for (const type of ["text/html", "image/png", null])
        await neverBelieves(
          rig,
          asking(header("content-type", type)),
          `the content-type ${type}`,
        );
      for (const { lie, rule } of rig.lies) await neverBelieves(rig, rule(), lie);
    },
  },
  "decodes an answer with an unrequested content coding, or refuses it by the name of the coding":
    {
      needs: ["read", "wire"],
      async run(rig) {
        await neverBelieves(rig, asking(zipped), "answers that are coded");
        for (const operation of (await operations(rig)).filter(
          ({ kind }) => kind !== "put" && kind !== "write",
        )) {
          const work = () => troubleOf(operation.run({}, never()));
          const { answer: plain } = await watching(operation.proxy, work);
          const { answer: gzip } = await during(
            wire(operation),
            operation.breaks(zipped),
            work,
          );
          if ("trouble" in gzip)
            expect(gzip.trouble.message, operation.name).toContain("gzip");
          else expect(gzip, operation.name).toEqual(plain);
          const { answer: unknown } = await during(
            wire(operation),
            operation.breaks(coded("x-of-tests")),
            work,
          );
          expect(
            unknown,
            `${operation.name} is answered in an unknown coding`,
          ).toMatchObject({
            trouble: { message: expect.stringContaining("x-of-tests") },
          });
        }
      },
    },
} satisfies Record<string, Case>;
