import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InstanceClient } from "../activities/registries/instance/client.ts";
import type { SourceFile } from "../activities/transfer/files.ts";
import { clientOf, copy, createSource, REMOTE, startInstance, type Instance } from "./instance-fixture.ts";
import { sha256 } from "./content-fixture.ts";

let source: ReturnType<typeof createSource>;
let target: Instance;
let client: InstanceClient;

beforeEach(async () => {
  source = createSource();
  target = await startInstance();
  client = clientOf(target.url);
  await client.ensureRepository(REMOTE, "GENERIC");
  target.requests.length = 0;
});

afterEach(async () => {
  await client.close();
  await target.stop();
  target.remove();
  await source.close();
});

const run = (files: SourceFile[], options: Partial<Parameters<typeof copy>[1]> = {}) => copy(files, { content: source.source, target: client, ...options });

describe("copying files to another instance", () => {
  it("makes each file there, of whatever size, byte for byte", async () => {
    const contents = [0, 1, 4096, 16 * 1024, 16 * 1024 + 1, 300_000, 1024 * 1024, 1024 * 1024 + 1, 5_000_000].map((size) => randomBytes(size));
    const files = await Promise.all(contents.map((content, i) => source.add(`/a b/ü/${i}.bin`, content, { number: String(i) })));
    const { outcomes, kinds, bytes } = await run(files);
    expect(kinds).toEqual(files.map(() => "sent"));
    for (const [i, file] of files.entries()) {
      expect(sha256((await target.fetchFile(file.fullPath)) ?? "")).toBe(file.sha256);
      expect(outcomes[i]).toEqual({
        result: { kind: "sent" },
        digest: `sha256:${file.sha256}`,
        size: file.size,
        parts: { blob: { success: i === 0 ? 0 : 1, skip: i === 0 ? 1 : 0, failed: 0 }, node: { success: 1, skip: 0, failed: 0 } },
        bytesSent: file.size,
      });
    }
    expect(bytes).toBe(contents.reduce((sum, content) => sum + content.length, 0));
  });
});
