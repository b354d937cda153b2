import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./program.ts";

/** A block of commands of the README, and what it or the text after it says that it prints. */
type Block = { section: string; commands: string; says: string[] };

/** Returns the blocks of commands of these sections of the README, in order. */
export function readmeBlocks(sections: string[]): Block[] {
  const parts = readFileSync(join(ROOT, "README.md"), "utf8").split(/^## /m);
  return parts.flatMap((part) => {
    const section = part.slice(0, part.indexOf("\n"));
    if (!sections.includes(section)) return [];
    return [...part.matchAll(/^```bash\n([^]*?)^```\n([^]*?)(?=^```|$(?![^]))/gm)].map(
      ([, commands = "", after = ""]) => ({
        section,
        commands,
        says: [...echoed(commands), ...printed(after)],
      }),
    );
  });
}

/** The sentences that commands print when what was before them holds. */
const echoed = (commands: string): string[] =>
  [...commands.matchAll(/&& echo "([^"]+)"/g)].map(([, words = ""]) => words);

/** The fields that the text names with their value, such as `skip: 2`. */
const printed = (text: string): string[] =>
  [...text.matchAll(/`(\w+: \d+)`/g)].map(([, field = ""]) => field);
