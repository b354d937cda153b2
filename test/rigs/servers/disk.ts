import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Mounts a small disk (512 MiB). Returns null if that is not allowed, and prints `skipped`, which says
 * what is not tested.
 */
export function mountDisk(
  skipped: string,
): { folder: string; unmount: () => void } | null {
  const folder = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=512m", "tmpfs", folder], {
      stdio: "pipe",
    });
    return { folder, unmount: () => void execFileSync("umount", ["--lazy", folder]) };
  } catch (error) {
    const why =
      "because a small one cannot be mounted on this machine (needs root on Linux)";
    console.warn(`SKIPPED: ${skipped}, ${why}: ${String(error)}`);
    rmSync(folder, { recursive: true });
    return null;
  }
}
