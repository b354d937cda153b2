import { expect } from "vitest";
import type { End } from "../../../activities/registries/contract.ts";
import type { Check, CheckUse } from "../../../domain/check.ts";
import { during, every, silence, status } from "../../rigs/servers/faulty.ts";
import { never } from "./reading.ts";
import { wire, type Case, type Judged } from "./rig.ts";

async function check(
  { check: own }: Judged,
  end: End,
  signal: AbortSignal,
  use: CheckUse = "WRITE",
): Promise<Check> {
  if (own === undefined) throw new Error("the connector lacks what this case needs");
  return own(end, use, signal);
}

export const CHECK_CASES = {
  "finds an end reachable, its login accepted and its use allowed": {
    needs: ["check"],
    async run({ connector, from, to }) {
      for (const [{ end }, use] of [
        [from, "READ"],
        [to, "WRITE"],
        [to, "GLANCE"],
      ] as const) {
        const { reachable, product, authenticated, allowed } = await check(
          connector,
          end(),
          never(),
          use,
        );
        expect([reachable.ok, product.ok], product.message.en).toEqual([true, true]);
        expect([true, null], authenticated.message.en).toContain(authenticated.ok);
        expect([true, null], allowed.message.en).toContain(allowed.ok);
      }
    },
  },
  "distinguishes a refused login from an unreachable end": {
    needs: ["check", "wire"],
    async run({ connector, to }) {
      const refused = await check(
        connector,
        to.end({ username: "mallory", password: "wrong-password", token: null }),
        never(),
      );
      expect(refused).toMatchObject({
        reachable: { ok: true },
        authenticated: {
          ok: false,
          message: {
            en: expect.stringMatching(/\S/),
            zh: expect.stringMatching(/[一-龥]/),
          },
        },
      });
      const nowhere = await check(
        connector,
        to.end({ url: "http://127.0.0.1:9" }),
        never(),
      );
      expect(nowhere).toMatchObject({
        reachable: { ok: false, message: { en: expect.stringContaining("127.0.0.1:9") } },
        authenticated: { ok: null },
        allowed: { ok: null },
      });
    },
  },
  "reports the problem of a faulty end without throwing": {
    needs: ["check", "wire"],
    async run({ connector, to }) {
      for (const fault of [status(429), status(500), status(503), silence]) {
        const { answer } = await during(wire(to), every(fault), () =>
          check(connector, to.end({ idleTimeoutMs: 300 }), never()),
        );
        const answers = Object.values(answer);
        expect(
          answers.some(({ ok }) => ok === true && fault.kind === "hang"),
          JSON.stringify(answer),
        ).toBe(false);
        expect(
          answers.every(({ ok }) => ok === true),
          JSON.stringify(answer),
        ).toBe(false);
      }
    },
  },
  "stops its check when the signal fires": {
    needs: ["check"],
    async run({ connector, to }) {
      await expect(check(connector, to.end(), AbortSignal.abort())).rejects.toMatchObject(
        { kind: "cancelled" },
      );
    },
  },
} satisfies Record<string, Case>;
