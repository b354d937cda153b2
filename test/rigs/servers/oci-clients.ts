import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CRANE, REGCTL, SKOPEO } from "./oci-tools.ts";
import type { TestRegistry } from "./registries.ts";
import { findTool } from "./tools.ts";

const run = promisify(execFile);

/**
 * Checks with independent clients that two registries hold the same image, with the same digest and fully readable;
 * throws if not.
 */
export async function judge(
  source: TestRegistry,
  target: TestRegistry,
  name: string,
  tag: string,
): Promise<void> {
  const [here, there] = [
    `${source.host}/${name}:${tag}`,
    `${target.host}/${name}:${tag}`,
  ];
  const crane = await findTool(CRANE);
  if (crane !== null) {
    const digests = await Promise.all(
      [here, there].map((image) => output(crane, ["digest", "--insecure", image])),
    );
    if (digests[0] !== digests[1])
      throw new Error(`crane: ${digests.join(" and ")} of ${name}:${tag}`);
    await output(crane, ["validate", "--insecure", "--fast", "--remote", there]);
  }
  const skopeo = await findTool(SKOPEO);
  const folder = mkdtempSync(join(tmpdir(), "judge-"));
  try {
    const from = `docker://${there}`;
    if (skopeo !== null)
      await output(skopeo, [
        "copy",
        "--all",
        "--src-tls-verify=false",
        from,
        `dir:${folder}`,
      ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Returns the digests in regctl's tree of an image and its attached manifests; null if regctl is not
 * available.
 */
export async function treeDigests(
  rig: TestRegistry,
  name: string,
  tag: string,
): Promise<string[] | null> {
  const regctl = await findTool(REGCTL);
  if (regctl === null) return null;
  const host = ["--host", `reg=${rig.host},tls=disabled`];
  const tree = await output(regctl, [
    "artifact",
    "tree",
    ...host,
    `${rig.host}/${name}:${tag}`,
  ]);
  return tree.match(/sha256:[0-9a-f]{64}/g) ?? [];
}

async function output(command: string, args: string[]): Promise<string> {
  const { stdout } = await run(command, args);
  return stdout.trim();
}
