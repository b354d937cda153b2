import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { endLeftovers, openLedger } from "../../temporal/process.ts";
import { freePort } from "../rigs/servers/process.ts";

const TIMES = 5;
/** A process that listens, and that needs some time to end, because all this memory must be given back. */
const PROGRAM = `
  const held = Buffer.alloc(700 * 1024 ** 2, 1);
  require("node:net").createServer().listen(Number(process.argv[1]), "127.0.0.1", () =>
    console.log("listens with " + held.length));`;

test("the ports of a process that an earlier start left running are free once it is ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "leftovers-"));
  const silent = { info: () => {}, error: () => {} };
  try {
    for (let time = 0; time < TIMES; time += 1) {
      const file = join(folder, `${time}.json`);
      const port = await freePort();
      const child = spawn(process.execPath, ["-e", PROGRAM, String(port)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout, "data");
      openLedger(file, silent).note("temporal", child.pid ?? 0);
      expect(await endLeftovers(file, 10_000)).toEqual(["temporal"]);
      const server = createServer().listen(port, "127.0.0.1");
      await once(server, "listening");
      server.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
