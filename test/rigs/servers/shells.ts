import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { findTool, type Tool } from "./tools.ts";

const BASH: Tool = {
  name: "bash",
  version: "3",
  onPath: { command: "bash", versionArgs: ["--version"], matches: /GNU bash/ },
  apt: { packages: ["bash"], command: "bash" },
  cost: "7 MB, some seconds",
};
const ZSH: Tool = {
  name: "zsh",
  version: "5",
  onPath: { command: "zsh", versionArgs: ["--version"], matches: /^zsh 5/ },
  apt: { packages: ["zsh"], command: "zsh" },
  cost: "18 MB, some seconds",
};

/** The shells of users, with the options that make them interactive, without the user's own settings. */
const SHELLS = {
  bash: { tool: BASH, args: ["--norc", "--noediting", "-i"] },
  // Without the marks that zsh writes before a prompt.
  zsh: { tool: ZSH, args: ["-f", "-i", "+o", "promptsp", "+o", "promptcr"] },
} as const;
export type ShellName = keyof typeof SHELLS;

const WITHIN_MS = 240_000;

export type Shell = {
  /** Gives the shell lines, as a paste does; resolves with what they printed, and with the last one's exit code. */
  paste: (lines: string) => Promise<{ output: string; exit: number }>;
  /** Gives the shell a command that does not end by itself. */
  begin: (command: string) => void;
  /** Everything that was printed so far. */
  output: () => string;
  /** Ends the shell and what runs in it, as closing the window does. */
  close: () => Promise<void>;
};

/** Opens an interactive shell that reads its lines from a pipe; null, with a message, if it is not available. */
export async function openShell(
  name: ShellName,
  cwd: string,
  env: Record<string, string>,
): Promise<Shell | null> {
  const { tool, args } = SHELLS[name];
  const command = await findTool(tool);
  if (command === null) return null;
  const child = spawn(command, args, {
    cwd,
    env: { ...env, HISTFILE: "/dev/null", PS1: "", PS2: "" },
    // A session of its own: an interactive shell takes the terminal of its session.
    detached: true,
  });
  const read = printedBy(child);
  child.stdin.write("PS1= PS2=; exec 2>&1\n");
  let pasted = 0;
  return {
    async paste(lines) {
      const mark = `end-of-paste-${(pasted += 1)}`;
      const from = read().length;
      child.stdin.write(`${lines}\nprintf '\\n%s %s\\n' ${mark} $?\n`);
      const end = new RegExp(`^([^]*)\\n${mark} (\\d+)\\n`);
      const [, output = "", exit] = await until(
        child,
        () => end.exec(read().slice(from)),
        () => read().slice(from),
      );
      return { output, exit: Number(exit) };
    },
    begin: (line) => void child.stdin.write(`${line}\n`),
    output: read,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      // Without a terminal there is no job control: all that runs in the shell is in its process group.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGHUP");
      child.stdin.end();
      await gone;
    },
  };
}

function printedBy({ stdout, stderr }: ChildProcess): () => string {
  let output = "";
  for (const stream of [stdout, stderr])
    stream?.setEncoding("utf8").on("data", (chunk: string) => void (output += chunk));
  return () => output;
}

/** Looks after each piece of output; throws with the output when the shell ends or takes too long. */
async function until<T>(
  { stdout, exitCode }: ChildProcess,
  look: () => T | null,
  said: () => string,
): Promise<T> {
  const signal = AbortSignal.timeout(WITHIN_MS);
  for (;;) {
    const found = look();
    if (found !== null) return found;
    if (stdout === null || exitCode !== null) throw new Error(`it ended: ${said()}`);
    await once(stdout, "data", { signal }).catch((cause: unknown) => {
      throw new Error(`the shell does not go on after:\n${said()}`, { cause });
    });
  }
}
