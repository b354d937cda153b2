import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unique } from "../rigs/runs/run-fixture.ts";
import { each } from "../rigs/runs/run-sources.ts";
import { startUnluckyRig, type UnluckyRig } from "../rigs/runs/unlucky-rig.ts";
import { makeImage, pushImage, pushManifest } from "../rigs/servers/images.ts";
import type { Fault } from "../rigs/servers/proxy.ts";

let rig: UnluckyRig;
beforeAll(async () => {
  // The good images are put off while the bad ones get no answer; a slow machine has to send them within the window.
  rig = await startUnluckyRig({ RETRY_WINDOW: "90s" });
});
afterAll(() => rig.end());

describe.concurrent("bad luck of some among many images", () => {
  test.each([
    ["manifests are answered 500", { kind: "answer", status: 500 }],
    ["connections are cut again and again", { kind: "cutRequest", afterBytes: 1 }],
  ] satisfies [string, Fault][])(
    "images whose %s do not keep a run from sending the others",
    async (_, fault) => {
      const name = unique("often");
      rig.luck.set(name, (request) =>
        request.method === "PUT" && request.path.includes("/a-bad/") ? fault : null,
      );
      const [bad, good] = [`${name}/a-bad`, `${name}/z-good`];
      const image = makeImage();
      for (const [repository, tag] of [
        [bad, "v0"],
        [good, "v20"],
      ] as const)
        await pushImage(rig.source.url, repository, tag, image);
      await each([...Array.from({ length: 400 }).keys()], 16, (at) =>
        pushManifest(rig.source.url, at < 20 ? bad : good, `v${at}`, image),
      );
      const { status, counts, reasons } = await rig.ended(
        await rig.start(name, [bad, good]),
      );
      expect(status).toBe("FAILED");
      expect(counts).toMatchObject({
        planned: 400,
        success: 380,
        failed: 20,
        notDone: 0,
      });
      expect(
        reasons.every((reason) => / \((?:tried|waited) for \d+ s\)$/.test(reason)),
      ).toBe(true);
      expect((await rig.there(name)).size).toBe(380);
    },
  );
});
