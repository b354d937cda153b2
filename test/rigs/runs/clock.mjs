import { readFileSync } from "node:fs";

/**
 * Loaded before a program (`--import`): shifts its wall clock by the offset (ms) in the file CLOCK_OFFSET_FILE, that of
 * all processes that share the file at about the same time.
 */
const READ_AFTER_MS = 50;
const file = process.env.CLOCK_OFFSET_FILE;
const now = Date.now;
let [offset, read] = [0, Number.NEGATIVE_INFINITY];
if (file) {
  Date.now = () => {
    if (performance.now() - read > READ_AFTER_MS) {
      read = performance.now();
      offset = Number(readFileSync(file, "utf8")) || 0;
    }
    return now() + offset;
  };
}
