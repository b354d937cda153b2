import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createScrub } from "../../api/upkeep/scrub.ts";
import { damageContent } from "../rigs/api/damage.ts";
import { contents, createScrubbed } from "../rigs/api/scrub-fixture.ts";
import { mountDisk } from "../rigs/servers/disk.ts";

const PERIOD = 30 * 86_400_000;

const disk = mountDisk("a scrub on a full disk is not tested", 64);
afterAll(() => disk?.unmount());

describe.skipIf(disk === null)("a scrub on a full disk", () => {
  test("stays where it finds damage that cannot be noted, and notes it once there is room", async () => {
    const dataDir = join(disk?.folder ?? "", "data");
    mkdirSync(dataDir);
    const made = createScrubbed(dataDir);
    try {
      const digests = (await made.add(...contents(40))).toSorted();
      const bad = digests.filter((_, i) => i % 4 === 1);
      for (const digest of bad) damageContent(dataDir, digest, "a flipped byte");
      // There is room again as soon as the first damage could not be noted.
      const warn = () => disk?.empty();
      const scrub = createScrub({ ...made, logger: { ...made.logger, warn }, days: 30 });
      disk?.fill(0);
      await scrub.advance(PERIOD);
      expect(made.damaged()).toEqual([]);
      await scrub.advance(PERIOD);
      expect(made.damaged()).toEqual(bad);
    } finally {
      made.close();
    }
  });
});
