import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The release of this code; record.ts writes into its folder. The README.md in this folder describes each release. */
export const RELEASE = "0.1.0-d";
/** Number of releases, this one included, whose runs continue after an upgrade. Their history folders must be kept. */
export const SUPPORTED = 2;

export type SavedEvent = { eventType: string } & Record<string, unknown>;
export type SavedHistory = {
  release: string;
  name: string;
  history: { events: SavedEvent[] };
};

/** Returns the releases that have saved histories (the names of the folders here), oldest first. */
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
