import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type SmallDisk = {
  folder: string;
  /** Fills the disk until `bytes` are free; a second call replaces the first filling. */
  fill: (bytes: number) => void;
  /** Frees what `fill` took. */
  empty: () => void;
  unmount: () => void;
};

/**
 * Mounts a disk of `mib` MiB; null where that is not allowed, with a message that says which test is `skipped`.
 */
export function mountDisk(skipped: string, mib: number): SmallDisk | null {
  const folder = mkdtempSync(join(tmpdir(), "disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mib}m`, "tmpfs", folder], {
      stdio: "pipe",
    });
    return openDisk(folder);
  } catch (error) {
    const why =
      "because a small one cannot be mounted on this machine (needs root on Linux)";
    console.warn(`SKIPPED: ${skipped}, ${why}: ${String(error)}`);
    rmSync(folder, { recursive: true });
    return null;
  }
}

function openDisk(folder: string): SmallDisk {
  const filler = join(folder, "filler");
  const empty = () => rmSync(filler, { force: true });
  return {
    folder,
    fill(bytes) {
      empty();
      const { bavail, bsize } = statfsSync(folder);
      try {
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
      } catch (error) {
        // A process took some of it meanwhile: then it is full.
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      }
    },
    empty,
    unmount() {
      execFileSync("umount", ["--lazy", folder]);
      rmdirSync(folder);
    },
  };
}
