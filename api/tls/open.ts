import { createTlsFront, type TlsFront } from "../http/tls-front.ts";
import { followPair, type FollowDeps, type Following, warnOfDates } from "./follow.ts";
import { type PairFiles, readPair } from "./pair.ts";

/**
 * Opens TLS with the certificate and key of two files, which are followed from `start` on. Throws a StartError when
 * they cannot be used.
 */
export async function openTls(
  files: PairFiles,
  { now, logger }: Pick<FollowDeps, "now" | "logger">,
): Promise<Following & { front: TlsFront }> {
  const first = await readPair(files);
  warnOfDates(first, { now, logger });
  const front = createTlsFront(first);
  return { front, ...followPair({ files, first, use: front.use, now, logger }) };
}
