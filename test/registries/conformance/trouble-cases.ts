import { inspect } from "node:util";
import { expect } from "vitest";
import type { FailureKind } from "../../../domain/failure.ts";
import type { Fault } from "../../rigs/servers/proxy.ts";
import {
  during,
  watching,
  drip,
  listening,
  silence,
  stall,
  status,
} from "../../rigs/servers/faulty.ts";
import {
  operations,
  trying,
  troubleOf,
  type Operation,
  type Trouble,
} from "./operations.ts";
import { wire, type Case } from "./rig.ts";

/** The failure kinds of each status; several if a protocol may be more specific. */
const KINDS: Record<number, FailureKind[]> = {
  400: ["invalid"],
  401: ["auth"],
  403: ["auth"],
  404: ["notFound"],
  408: ["timeout"],
  409: ["invalid", "immutable"],
  413: ["tooLarge"],
  429: ["throttled"],
  500: ["server"],
  501: ["unsupported"],
  503: ["server"],
  507: ["noSpace"],
};
const RETRIED: ReadonlySet<FailureKind> = new Set([
  "timeout",
  "throttled",
  "server",
  "unreachable",
]);
/** Longer than any machine takes to answer; no test waits that long. */
const WAIT_S = 120;

/** Results of the operations for which 404 is an answer: the artifact does not exist. */
const ABSENT: Partial<Record<Operation["kind"], unknown>> = {
  list: { found: [], missing: [expect.anything()] },
  describe: null,
  stat: expect.toSatisfy(
    (facts: unknown) =>
      Array.isArray(facts) && facts.length > 0 && facts.every((fact) => fact === null),
    "only nulls",
  ),
};

async function troubleAt(operation: Operation, fault: Fault): Promise<Trouble> {
  const tried = await trying(operation, fault);
  if ("trouble" in tried) return tried.trouble;
  throw new Error(
    `${operation.name} did not fail under ${JSON.stringify(fault)}: it answered ${inspect(tried.answer)}`,
  );
}

export const TROUBLE_CASES = {
  "gives each status its kind": {
    needs: ["wire"],
    async run(rig) {
      for (const operation of await operations(rig)) {
        for (const [code, everywhere] of Object.entries(KINDS)) {
          const kinds = [rig.bare?.[Number(code)] ?? everywhere].flat();
          const what = `${operation.name} is answered ${code}`;
          if (code === "404" && operation.kind in ABSENT) {
            expect(await trying(operation, status(404)), what).toEqual({
              answer: ABSENT[operation.kind],
            });
            continue;
          }
          const { kind, retryable, message } = await troubleAt(
            operation,
            status(Number(code)),
          );
          expect(retryable, what).toBe(kinds.some((each) => RETRIED.has(each)));
          if (kind !== null) expect(kinds, what).toContain(kind);
          expect(message, what).toContain(code);
        }
      }
    },
  },
  "reports the time of Retry-After, in seconds or as a date": {
    needs: ["wire"],
    async run(rig) {
      for (const operation of await operations(rig)) {
        for (const code of [429, 503]) {
          for (const inSeconds of [true, false]) {
            const before = Date.now();
            const said = inSeconds
              ? String(WAIT_S)
              : new Date(before + WAIT_S * 1000).toUTCString();
            const { notBefore } = await troubleAt(
              operation,
              status(code, { headers: { "retry-after": said } }),
            );
            const what = `${operation.name} is answered ${code} with Retry-After: ${said}`;
            // A date in Retry-After has whole seconds and does not depend on when the answer arrives.
            expect(notBefore ?? 0, what).toBeGreaterThanOrEqual(
              inSeconds ? before + WAIT_S * 1000 : Date.parse(said),
            );
            expect(notBefore ?? Infinity, what).toBeLessThanOrEqual(
              Date.now() + WAIT_S * 1000,
            );
          }
        }
      }
    },
  },
  "fails with a retryable error when an end is silent": {
    needs: ["wire"],
    async run(rig) {
      for (const operation of await operations(rig)) {
        const faults = operation.kind === "open" ? [silence, stall(100)] : [silence];
        for (const fault of faults) {
          const tried = await trying(operation, fault, { idleTimeoutMs: 300 });
          expect(tried, `${operation.name} under ${fault.kind}`).toMatchObject({
            trouble: { retryable: true, message: expect.stringContaining("silent") },
          });
        }
      }
    },
  },
  "waits for an end that is slow but not silent": {
    needs: ["wire"],
    async run(rig) {
      for (const operation of await operations(rig)) {
        const quick = await trying(
          operation,
          { kind: "latency", ms: 1 },
          { idleTimeoutMs: 10_000 },
        );
        expect(quick, operation.name).toHaveProperty("answer");
        if (operation.kind === "put" || operation.kind === "write") continue;
        expect(
          await trying(operation, drip(200, 20), { idleTimeoutMs: 10_000 }),
          operation.name,
        ).toEqual(quick);
      }
    },
  },
  "names the address of an end at which nobody listens": {
    needs: ["wire"],
    async run(rig) {
      for (const operation of await operations(rig)) {
        const tried = await troubleOf(
          operation.run({ url: "http://127.0.0.1:9" }, new AbortController().signal),
        );
        expect(tried, operation.name).toMatchObject({
          trouble: { retryable: true, message: expect.stringContaining("127.0.0.1:9") },
        });
      }
    },
  },
  "closes its socket when it is stopped": {
    needs: ["wire"],
    async run(rig) {
      for (const operation of await operations(rig)) {
        const faults = operation.kind === "open" ? [listening, stall(100)] : [listening];
        for (const fault of faults) await stopped(operation, fault);
      }
    },
  },
  "sends no request once it is stopped": {
    needs: [],
    async run(rig) {
      for (const { name, proxy, run } of await operations(rig)) {
        const { answer, requests } = await watching(proxy, () =>
          troubleOf(run({}, AbortSignal.abort())),
        );
        expect(answer, name).toMatchObject({ trouble: { kind: "cancelled" } });
        expect(requests, name).toEqual([]);
      }
    },
  },
} satisfies Record<string, Case>;

async function stopped(operation: Operation, fault: Fault): Promise<void> {
  const { name, breaks, run } = operation;
  const what = `${name} is stopped under ${fault.kind}`;
  const controller = new AbortController();
  let broken = false;
  const rule = breaks(() => {
    broken = true;
    return fault;
  });
  const { answer, requests } = await during(wire(operation), rule, async () => {
    const tried = troubleOf(run({}, controller.signal));
    await expect.poll(() => broken, { message: what }).toBe(true);
    controller.abort();
    return tried;
  });
  expect(answer, what).toMatchObject({ trouble: { kind: "cancelled" } });
  await expect
    .poll(() => requests.filter(({ closed }) => closed === null), { message: what })
    .toEqual([]);
}
