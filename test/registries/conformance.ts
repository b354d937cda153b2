import { afterAll, beforeAll, describe, test } from "vitest";
import { CHECK_CASES } from "./conformance/check-cases.ts";
import { LIE_CASES } from "./conformance/lie-cases.ts";
import { LISTING_CASES } from "./conformance/listing-cases.ts";
import { MEMORY_CASES } from "./conformance/memory-cases.ts";
import { ABILITIES, type Case, LACKING, type Rig } from "./conformance/rig.ts";
import { SECRECY_CASES } from "./conformance/secrecy-cases.ts";
import { TROUBLE_CASES } from "./conformance/trouble-cases.ts";
import { WRITING_CASES } from "./conformance/writing-cases.ts";

const CASES = {
  ...CHECK_CASES,
  ...LISTING_CASES,
  ...WRITING_CASES,
  ...TROUBLE_CASES,
  ...SECRECY_CASES,
  ...LIE_CASES,
  ...MEMORY_CASES,
};
type CaseName = keyof typeof CASES;

/** `reason`: why the case can say nothing of this connector, in a sentence that is shown with it. */
export type Skipped = { case: CaseName; reason: string };

/**
 * Whether a connector keeps its contract (docs/connectors.md), against a real server behind a faulty proxy. `open`
 * answers null where that server cannot be had. What a connector cannot do for want of a method is skipped and says so;
 * every other case that is skipped has a reason. The last lines of a run show both.
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
        test(title, (context) => context.skip(skipped.reason));
        continue;
      }
      test(title, async (context) => {
        if (rig === null) return context.skip("its server cannot be had here");
        const current = rig;
        const lacking = needs.find((ability) => !ABILITIES[ability](current));
        if (lacking !== undefined) return context.skip(LACKING[lacking]);
        return run(current);
      });
    }
  });
}
