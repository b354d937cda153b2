import { putBlobs } from "../../../db/content/blobs.ts";
import type { UploadState } from "../../../domain/outcome.ts";
import type { StatedType } from "../../../domain/sync-versions.ts";
import { expect } from "vitest";
import { sha256 } from "../api/content-fixture.ts";
import type { Fault } from "../servers/proxy.ts";
import {
  clientOf,
  settle,
  type Settled,
  startProxiedTarget,
} from "./instance-fixture.ts";
import { artifactOf, type Built } from "./package-copy-fixture.ts";
import { LOGIN } from "./protocol-fixture.ts";

const MAVEN = { projectId: "copies", repoName: "maven" };
export const NPM = { projectId: "copies", repoName: "npm" };

type Options = Partial<Pick<Settled, "rules" | "hooks" | "target">> & {
  mayHaveSent?: boolean;
  uploads?: UploadState[];
};

export type VersionSender = Awaited<ReturnType<typeof startVersionSender>>;

/** Starts a local store and another instance with a Maven and an npm repository, behind a proxy. */
export async function startVersionSender() {
  const { source, target, proxy, close } = await startProxiedTarget();
  const client = clientOf(proxy.url);
  await client.ensureRepository(MAVEN, "MAVEN");
  await client.ensureRepository(NPM, "NPM");
  await client.capabilities();
  proxy.clear();

  async function download(path: string, type: "maven" | "npm"): Promise<Buffer | null> {
    const answer = await fetch(`${target.url}/${type}/copies/${type}${path}`, {
      headers: LOGIN,
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return answer.ok ? bytes : null;
  }

  return {
    source,
    target,
    proxy,
    client,
    download,
    async stop(): Promise<void> {
      await client.close();
      await close();
    },
    /** Puts the contents of versions into the local store. */
    async store(...built: Built[]): Promise<Built[]> {
      const contents = built.flatMap(({ bytes }) =>
        [...bytes.values()].map((content) => ({ content })),
      );
      await source.store.putAll(contents, (blobs) =>
        putBlobs(source.db, blobs, Date.now()),
      );
      return built;
    },
    /** Copies versions; returns the reported outcomes in the versions' order, and the bytes sent. */
    async run(
      built: Built[],
      {
        mayHaveSent = false,
        uploads = [],
        target: to = client,
        ...options
      }: Options = {},
    ) {
      const type: StatedType = isMaven(built[0]) ? "MAVEN" : "NPM";
      const versions = built.map(({ stated }) => ({
        artifact: artifactOf(stated),
        mayHaveSent,
        uploads,
      }));
      const settled = await settle(versions, {
        ...options,
        content: source.source,
        target: to,
        remote: type === "MAVEN" ? MAVEN : NPM,
        type,
      });
      return {
        ...settled,
        reasons: settled.outcomes.map((outcome) => JSON.stringify(outcome?.result)),
      };
    },
    /** Downloads the files of versions as clients of Maven and npm do, and compares them. */
    async expectThere(built: Built[]): Promise<void> {
      for (const one of built) {
        for (const [path, content] of one.bytes) {
          const found = await download(path, isMaven(one) ? "maven" : "npm");
          expect(sha256(found ?? "missing")).toBe(sha256(content));
        }
      }
    },
    /** Makes the proxy inject a fault into the first `times` requests with a matching path. */
    fails(fault: Fault, path: RegExp, times = 1): void {
      let left = times;
      proxy.fault = (request) => (path.test(request.path) && left-- > 0 ? fault : null);
    },
  };
}

const isMaven = (built: Built | undefined): boolean =>
  Boolean(built?.stated.document?.["packagings"]);
