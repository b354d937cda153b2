import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endLeftovers } from "../../../temporal/process.ts";
import { freePort } from "../servers/process.ts";
import { openShell, type Shell, type ShellName } from "../servers/shells.ts";
import { CACHE_DIR } from "../servers/tools.ts";
import { isAlive } from "./instance.ts";
import { ROOT } from "./program.ts";

/** The ports that the README names, each with the variable by which the first instance gets another. */
const PORTS = [
  ["8080", "PORT"],
  ["8081", null],
  ["7233", "TEMPORAL_PORT"],
  ["8233", "TEMPORAL_UI_PORT"],
] as const;
/** The folders that the two instances write, which a fresh checkout has not. */
const DATA = ["data-second", "data"];
const READY_WITHIN_MS = 120_000;

export type Walk = NonNullable<Awaited<ReturnType<typeof openWalk>>>;

/**
 * Opens a terminal in a folder that looks like a fresh checkout, with ports of its own; null, with a message, if the
 * shell is not available.
 */
export async function openWalk(name: ShellName) {
  const folder = mkdtempSync(join(tmpdir(), "readme-walk-"));
  for (const file of readdirSync(ROOT).filter((each) => !DATA.includes(each)))
    symlinkSync(join(ROOT, file), join(folder, file));
  const ports = new Map<string, string>();
  for (const [port] of PORTS) ports.set(port, String(await freePort()));
  const atPorts = (text: string) =>
    text.replaceAll(/\b(?:8080|8081|7233|8233)\b/g, (port) => ports.get(port) ?? port);

  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, CACHE_DIR, TMPDIR: folder };
  const terminals: Shell[] = [];
  const open = async (more: Record<string, string> = {}) => {
    const terminal = await openShell(name, folder, { ...env, ...more });
    if (terminal !== null) terminals.push(terminal);
    return terminal;
  };
  const close = async () => {
    for (const terminal of terminals.toReversed()) await terminal.close();
    for (const dataDir of DATA) await ended(join(folder, dataDir));
    rmSync(folder, { recursive: true, force: true });
  };

  const shell = await open();
  if (shell === null) return close().then(() => null);
  return {
    /** A terminal in which nothing runs. */
    shell,
    /** Replaces the README's ports by those of this walk. */
    atPorts,
    /** Starts an instance in a terminal of its own, and waits until it is ready. */
    async start(command: string, dataDir: string, port: number): Promise<void> {
      const own = PORTS.flatMap(([each, variable]) =>
        variable === null ? [] : [[variable, atPorts(each)] as const],
      );
      const terminal = await open(Object.fromEntries(own));
      terminal?.begin(atPorts(command));
      const url = atPorts(`http://127.0.0.1:${port}/health/ready`);
      const endpoints = join(folder, dataDir, "endpoints.json");
      const deadline = Date.now() + READY_WITHIN_MS;
      while (!existsSync(endpoints) || !(await isReady(url))) {
        if (Date.now() > deadline)
          throw new Error(`${command} is not ready:\n${terminal?.output()}`);
        await sleep(100);
      }
    },
    /** Ends all instances and terminals, and deletes the folder. */
    close,
  };
}

const isReady = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

/** Waits for the end of an instance whose terminal was closed; ends what a killed one would have left. */
async function ended(dataDir: string): Promise<void> {
  const lock = join(dataDir, "lock.pid");
  if (!existsSync(lock)) return;
  const pid = Number(readFileSync(lock, "utf8"));
  while (isAlive(pid)) await sleep(20);
  await endLeftovers(join(dataDir, "processes.json"), 0);
}
