import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The release of this code; record.ts writes into its folder. The README.md in this folder describes each release. */
export const RELEASE = "0.1.0-d";
/** Runs that began under this many releases, this one included, go on after an upgrade; their folders stay. */
export const SUPPORTED = 2;

export type SavedEvent = { eventType: string } & Record<string, unknown>;
export type SavedHistory = {
  release: string;
  name: string;
  history: { events: SavedEvent[] };
};

/** Oldest first. */
export const releases = (): string[] =>
  readdirSync(import.meta.dirname, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? entry.name : []))
    .toSorted();

export function readRelease(release: string): SavedHistory[] {
  const folder = join(import.meta.dirname, release);
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.map((name) => ({
    release,
    name,
    history: JSON.parse(
      readFileSync(join(folder, name), "utf8"),
    ) as SavedHistory["history"],
  }));
}
