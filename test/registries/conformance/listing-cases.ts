import { expect } from "vitest";
import { describeAll, list, onceFor, orFailure, using } from "./reading.ts";
import {
  cutAnswer,
  during,
  watching,
  half,
  nth,
  portal,
  status,
  type Rule,
} from "../../rigs/servers/faulty.ts";
import type { Fault } from "../../rigs/servers/proxy.ts";
import { wire, type Case, type Rig } from "./rig.ts";

/** Maximum number of requests that a listing of a few artifacts may need. */
const MOST_REQUESTS = 1_000;

const keyOf = ({ name, version }: { name: string; version: string }): string =>
  `${name} ${version}`;
const sortedKeys = (all: readonly { name: string; version: string }[]): string[] =>
  all.map(keyOf).toSorted();

/** The expected listing of three artifacts; two of them have the same name if the type has versions. */
const three = onceFor(async (rig) => {
  const first = rig.sample();
  const samples = [first, rig.sample({ beside: first }), rig.sample()];
  for (const sample of samples) await rig.from.fill(sample);
  const names = [...new Set(samples.map(({ artifact }) => artifact.name))];
  return { names, keys: sortedKeys(samples.map(({ artifact }) => artifact)) };
});

const PAGE_FAULTS: Record<string, Fault> = {
  "the server's error": status(500),
  "half of its answer": half,
  "the first bytes of its answer": cutAnswer(20),
  "an HTML page": portal,
  nothing: { kind: "alter", body: () => Buffer.alloc(0) },
};

export const LISTING_CASES = {
  "lists every artifact once": {
    needs: ["list"],
    async run(rig) {
      const { names, keys } = await three(rig);
      const listing = await list(rig, rig.named(names));
      expect(sortedKeys(listing.found)).toEqual(keys);
      expect(listing.missing).toEqual([]);
    },
  },
  "lists a whole repository": {
    needs: ["list"],
    async run(rig) {
      const { keys } = await three(rig);
      const { found } = await list(rig, { packages: [], paths: [] });
      const listed = sortedKeys(found);
      expect(listed).toEqual(expect.arrayContaining(keys));
      expect(listed).toEqual([...new Set(listed)]);
    },
  },
  "never returns an incomplete listing when a page fails": {
    needs: ["list", "wire"],
    async run(rig) {
      const { names } = await three(rig);
      const wanted = rig.named(names);
      const { answer, requests } = await watching(rig.from.proxy, () =>
        list(rig, wanted),
      );
      for (const [what, fault] of Object.entries(PAGE_FAULTS)) {
        for (const at of requests.keys()) {
          const { answer: broken } = await during(wire(rig.from), nth(at, fault), () =>
            orFailure(list(rig, wanted)),
          );
          if (!(broken instanceof Error))
            expect(broken, `request ${at} was answered by ${what}`).toEqual(answer);
        }
      }
    },
  },
  "ends on pages that never end": {
    needs: ["list", "wire"],
    run: (rig) => ends(rig, rig.pages?.endless()),
  },
  "ends on a page that names itself as the next page": {
    needs: ["list", "wire"],
    run: (rig) => ends(rig, rig.pages?.repeating()),
  },
  "reports requested artifacts that do not exist": {
    needs: ["list"],
    async run(rig) {
      const { names, keys } = await three(rig);
      const missing = rig.sample().artifact.name;
      const listing = await list(rig, rig.named([...names, missing]));
      expect(sortedKeys(listing.found)).toEqual(keys);
      expect(listing.missing).toMatchObject([
        {
          name: expect.stringContaining(missing),
          reason: expect.stringContaining(missing),
        },
      ]);
    },
  },
  "describes a deleted artifact as null, in the order of the keys": {
    needs: ["read"],
    async run(rig) {
      const [kept, deleted] = [rig.sample(), rig.sample()];
      await rig.from.fill(kept);
      await rig.from.fill(deleted);
      await rig.from.remove(deleted);
      const described = await using(
        rig.connector.source?.(rig.from.end(), rig.type),
        (source) => describeAll(source, [deleted, kept, rig.sample()]),
      );
      expect(described).toMatchObject([
        null,
        { name: kept.artifact.name, version: kept.artifact.version },
        null,
      ]);
    },
  },
} satisfies Record<string, Case>;

/** Expects the listing to end, with an error or with an answer. */
async function ends(rig: Rig, rule: Rule | undefined): Promise<void> {
  if (rule === undefined)
    throw new Error(
      "the rig does not say how its protocol's pages follow each other: skip this case with a reason",
    );
  const { names } = await three(rig);
  const patience = new AbortController();
  let asked = 0;
  const counting: Rule = (request) => {
    asked += 1;
    if (asked > MOST_REQUESTS) patience.abort();
    return rule(request);
  };
  await during(wire(rig.from), counting, () =>
    orFailure(list(rig, rig.named(names), {}, patience.signal)),
  );
  expect(asked, "requests for pages without end").toBeLessThanOrEqual(MOST_REQUESTS);
}
