import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/**
 * Returns the pid of the local process with a TCP connection from its port `from` to the port `to`
 * (proc(5), Linux only); undefined if no process has one.
 */
export function ownerOf(from: number, to: number): number | undefined {
  const ends = [from, to].map(
    (port) => `:${port.toString(16).toUpperCase().padStart(4, "0")}`,
  );
  const rows = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) =>
    readFileSync(file, "utf8").split("\n"),
  );
  // Both ports are compared, because one port may have connections to several other ports.
  const row = rows.find((line) =>
    ends.every((end, at) => line.trim().split(/\s+/)[at + 1]?.endsWith(end)),
  );
  const inode = row?.trim().split(/\s+/)[9];
  if (inode === undefined || inode === "0") return undefined;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => linksOf(pid).includes(`socket:[${inode}]`));
}

function linksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}
