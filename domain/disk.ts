const GIB = 1024 ** 3;
/** The part of a disk that is kept for the databases, unless DISK_RESERVE is set; at least 1 GiB. */
const RESERVED_PART = 0.02;
/** The part of a disk, and the most bytes, that are wanted free beyond what is kept for the databases. */
const WANTED_PART = 0.1;
const MOST_WANTED = 10 * GIB;

/** State of the disk with DATA_DIR, in bytes; `reserve`: how much of it uploads leave to the databases. */
export type Disk = { free: number; size: number; reserve: number };

/** Returns how many bytes of a disk of `size` bytes uploads leave free. `setting`: DISK_RESERVE; null: not set. */
export const reserveOf = (setting: number | null, size: number): number =>
  setting ?? Math.max(GIB, Math.floor(size * RESERVED_PART));

/** Returns the free bytes below which a disk counts as nearly full: some more than at which uploads are refused. */
export const wantedFree = ({ size, reserve }: Pick<Disk, "size" | "reserve">): number =>
  reserve + Math.min(size * WANTED_PART, MOST_WANTED);

/** Writes a number of bytes for people: "1.5 GiB", "12 MiB", "3 KiB", "17 bytes". */
export function byteSize(bytes: number): string {
  if (bytes >= GIB) return `${(bytes / GIB).toFixed(1)} GiB`;
  if (bytes >= 1024 ** 2) return `${Math.round(bytes / 1024 ** 2)} MiB`;
  return bytes >= 1024 ? `${Math.round(bytes / 1024)} KiB` : `${bytes} bytes`;
}
