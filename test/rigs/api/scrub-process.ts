import { createScrub } from "../../../api/upkeep/scrub.ts";
import { openContent } from "./content-fixture.ts";

/**
 * Reads the contents of the data directory in its first argument again, as far as each message (ms) allows;
 * for tests that kill it.
 */
const content = openContent(process.argv[2] ?? "");
const scrub = createScrub({ ...content, now: Date.now, days: 30 });
process.on("disconnect", () => process.exit(0));
process.on("message", (ms) => {
  void scrub.advance(Number(ms)).then(() => process.send?.("done"));
});
process.send?.("ready");
