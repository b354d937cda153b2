import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closeServers, serve } from "../registries/http-rig.ts";
import { AMPLIFIERS, type Amplifier } from "./amplifiers.ts";
import { PLACES, placeCalled } from "./places.ts";

/** Less than any of the hostile bodies would take as objects. */
const HEAP_MIB = 96;
const READER = fileURLToPath(new URL("./reader.ts", import.meta.url));

/** What makes the end hostile at the moment. */
const hostile: { place: string; amplifier: Amplifier | undefined } = {
  place: "",
  amplifier: undefined,
};
/** Too much, no JSON of the kind that was asked for, or the status of an error. */
const REFUSED = new RegExp(
  [
    "more than the \\d+ \\w+ that",
    "nested deeper",
    "is not JSON",
    "not a JSON object",
    "answered 418",
    "does not list",
    "cannot be read",
    "not an instance",
  ].join("|"),
);
let reader: ChildProcess;
let url: string;

beforeAll(async () => {
  url = await serve((request, response) => {
    const { reply, field } = placeCalled(hostile.place);
    const answer = reply(request.url ?? "", url);
    request.resume();
    if ("hostile" in answer) return flood(response, answer.hostile, field);
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  reader = fork(READER, {
    execArgv: ["--import", "tsx", `--max-old-space-size=${HEAP_MIB}`],
  });
  await once(reader, "message");
});
afterAll(() => {
  reader.disconnect();
  closeServers();
});

function flood(response: ServerResponse, status: number, field: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  pipeline(
    Readable.from(hostile.amplifier?.body(field) ?? []),
    response,
    () => undefined,
  );
}

async function asked(): Promise<{ said: string; grown: number }> {
  const died = once(reader, "exit").then(([code, signal]) => {
    throw new Error(`the process ended with ${code ?? signal}`);
  });
  reader.send({ place: hostile.place, url });
  const [answer] = await Promise.race([once(reader, "message"), died]);
  return answer as { said: string; grown: number };
}

describe.each(PLACES)("$what", ({ what }) => {
  test.each(AMPLIFIERS)(
    "is refused when it is $what, and the process goes on",
    async (amplifier) => {
      hostile.place = what;
      hostile.amplifier = amplifier;
      const { said } = await asked();
      expect(said).toMatch(REFUSED);
    },
  );
});
