import { readFileSync } from "node:fs";

/** Loaded before a program (`--import`): shifts its wall clock by the offset (ms) in the file CLOCK_OFFSET_FILE. */
const file = process.env.CLOCK_OFFSET_FILE;
const now = Date.now;
let offset = 0;
const read = () => {
  offset = Number(readFileSync(file, "utf8")) || 0;
};
if (file) {
  read();
  setInterval(read, 200).unref();
  Date.now = () => now() + offset;
}
