import { randomBytes } from "node:crypto";
import { Agent, request } from "undici";

/** Uploads files of 4 KiB to 4 MiB, 16 at once, until it is killed; reports their number to its parent. */
const [base = "", username = "", password = ""] = process.argv.slice(2);
const headers = {
  authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
};
const SIZES = [4, 16, 64, 256, 1024, 4096].map((kibibytes) => kibibytes * 1024);
const bytes = randomBytes(Math.max(...SIZES) + 2 ** 20);
const dispatcher = new Agent({ connections: 16 });
let files = 0;

async function lane(number: number): Promise<never> {
  for (let at = 0; ; at += 1) {
    const size = SIZES[at % SIZES.length] ?? 0;
    const start = (number * 65_537 + at * 257) % 2 ** 20;
    const answer = await request(`${base}/lane-${number}/${at}.bin`, {
      method: "PUT",
      headers,
      body: bytes.subarray(start, start + size),
      dispatcher,
    });
    if (answer.statusCode !== 200)
      throw new Error(`${answer.statusCode}: ${await answer.body.text()}`);
    await answer.body.dump();
    files += 1;
    process.send?.(files);
  }
}

await Promise.all(Array.from({ length: 16 }, (_, number) => lane(number)));
