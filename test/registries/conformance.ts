import { afterAll, beforeAll, describe, test } from "vitest";
import { CHECK_CASES } from "./conformance/check-cases.ts";
import { LIE_CASES } from "./conformance/lie-cases.ts";
import { LISTING_CASES } from "./conformance/listing-cases.ts";
import { MEMORY_CASES } from "./conformance/memory-cases.ts";
import { ABILITIES, type Case, LACKING, type Rig } from "./conformance/rig.ts";
import { SECRECY_CASES } from "./conformance/secrecy-cases.ts";
import { TROUBLE_CASES } from "./conformance/trouble-cases.ts";
import { WORD_CASES } from "./conformance/word-cases.ts";
import { WRITING_CASES } from "./conformance/writing-cases.ts";

const CASES = {
  ...CHECK_CASES,
  ...LISTING_CASES,
  ...WRITING_CASES,
  ...TROUBLE_CASES,
  ...SECRECY_CASES,
  ...WORD_CASES,
  ...LIE_CASES,
  ...MEMORY_CASES,
};
type CaseName = keyof typeof CASES;

/** A skipped case; `reason`: a sentence that says why the case does not apply to this connector, shown with it. */
export type Skipped = { case: CaseName; reason: string };

/**
 * Tests that a connector keeps its contract (docs/connectors.md), against a real server behind a faulty
 * proxy. `open` returns null if the server is not available. The last lines of a test run list the
 * skipped cases, each with its reason: a missing method, or an entry of `skip`.
 */
export function describeConnector(
  name: string,
  open: () => Promise<Rig | null>,
  { skip = [] }: { skip?: readonly Skipped[] } = {},
): void {
  describe(`the connector of ${name}`, () => {
    let rig: Rig | null = null;
    beforeAll(async () => {
      rig = await open();
    }, 180_000);
    afterAll(() => rig?.close());

    for (const [title, { needs, run }] of Object.entries<Case>(CASES)) {
      const skipped = skip.find((each) => each.case === title);
      if (skipped !== undefined) {
        test(`a connector ${title}`, (context) => context.skip(skipped.reason));
        continue;
      }
      test(`a connector ${title}`, async (context) => {
        if (rig === null) return context.skip("its server is not available here");
        const current = rig;
        const lacking = needs.find((ability) => !ABILITIES[ability](current));
        if (lacking !== undefined) return context.skip(LACKING[lacking]);
        return run(current);
      });
    }
  });
}
