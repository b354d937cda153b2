import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathOf, publication } from "../servers/npm-publication.ts";
import type { startNpm } from "./npm-fixture.ts";

type Npm = Awaited<ReturnType<typeof startNpm>>;

/** What `stored` returns while nothing was stored. */
export const NOTHING = [[], 0, 0, 0, 0];

/** Publishing, and what the store then has; `api` returns the API of the running test. */
export function npmPublishing(api: () => Npm) {
  const staged = () => readdirSync(join(api().directory, "blobs", "staging"));
  const count = (table: string) =>
    api().db.$client.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  const stored = () => [
    staged(),
    count("package"),
    count("version"),
    count("node"),
    count("event"),
  ];
  const put = (name: string, body: unknown) => api().npm("PUT", pathOf(name), { body });
  const publish = (name: string, version: string, content: Uint8Array, more = {}) =>
    put(name, publication(name, version, content, more));
  return { staged, count, stored, put, publish };
}
