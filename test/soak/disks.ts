import { execFileSync } from "node:child_process";
import { cpSync, rmSync, statfsSync } from "node:fs";
import { mountDisk } from "../rigs/servers/disk.ts";

/** A disk of its own for the data of an instance, whose size can change at any time. */
export type OwnDisk = {
  folder: string;
  /** Makes the disk so small that `bytes` are free. */
  squeeze: (bytes: number) => void;
  widen: () => void;
  isSqueezed: () => boolean;
  /** Whether it is squeezed, or was within RECOVERY_MS. */
  wasSqueezed: () => boolean;
  /** Copies a folder of the disk to another place. */
  keep: (from: string, to: string) => void;
  unmount: () => void;
};

/** It takes memory only for what is in it. */
const SIZE_MIB = 6 * 1024;
const TRIES = 50;
/** Time in ms after which a process that ends has not ended because the disk was full. */
const RECOVERY_MS = 60_000;

/** Mounts a disk for the data of an instance; null where that is not allowed, with a message. */
export function mountOwnDisk(name: string): OwnDisk | null {
  const disk = mountDisk(`a full disk of ${name}`, SIZE_MIB);
  if (disk === null) return null;
  const { folder } = disk;
  let squeezed = false;
  let widened = Number.NEGATIVE_INFINITY;
  const resize = (bytes: number) =>
    execFileSync("mount", ["-o", `remount,size=${bytes}`, folder], { stdio: "pipe" });
  return {
    folder,
    squeeze(bytes) {
      squeezed = true;
      for (let left = TRIES; ; left -= 1) {
        const { blocks, bfree, bsize } = statfsSync(folder);
        try {
          resize((blocks - bfree) * bsize + bytes);
          return;
        } catch (error) {
          // What is used has grown meanwhile.
          if (left === 0) throw error;
        }
      }
    },
    widen() {
      resize(SIZE_MIB * 1024 ** 2);
      squeezed = false;
      widened = Date.now();
    },
    isSqueezed: () => squeezed,
    wasSqueezed: () => squeezed || Date.now() - widened < RECOVERY_MS,
    keep(from, to) {
      cpSync(from, to, { recursive: true });
      rmSync(from, { recursive: true, force: true });
    },
    unmount: disk.unmount,
  };
}
