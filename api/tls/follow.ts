import { StartError } from "../../domain/start-error.ts";
import type { Logger } from "../deps.ts";
import type { CertificateInUse } from "../metrics/signals.ts";
import { repeat } from "../runs/repeat.ts";
import { type Pair, type PairFiles, readPair } from "./pair.ts";

/** Period (ms) at which the files are read again. */
const LOOK_MS = 10_000;

export type FollowDeps = {
  files: PairFiles;
  /** Certificate and key that are in use. */
  first: Pair;
  use: (next: Pair) => void;
  now: () => number;
  logger: Pick<Logger, "info" | "warn">;
};

/** `start` begins to read the files, and returns how that is ended. */
export type Following = { look: () => CertificateInUse; start: () => () => void };

/**
 * Reads certificate and key again and again, however they are replaced, and uses new ones. While the files cannot be
 * used, the pair in use stays.
 */
export function followPair({ files, first, use, now, logger }: FollowDeps): Following {
  let pair = first;
  let suspected: string | null = null;
  let unusable: CertificateInUse["unusable"] = null;

  function noteUnusable(reason: string): void {
    // The two files are not replaced in the same moment: what is wrong at one look only is not said.
    const isLasting = suspected === reason;
    suspected = reason;
    if (!isLasting || unusable?.reason === reason) return;
    unusable = { reason, since: unusable?.since ?? now() };
    logger.warn(
      { reason },
      "the changed certificate and key cannot be used, those before stay in use",
    );
  }

  async function look(): Promise<void> {
    const next = await readPair(files).catch((error: unknown) => {
      if (error instanceof StartError) return error.message;
      throw error;
    });
    if (typeof next === "string") return noteUnusable(next);
    const isNew = next.cert !== pair.cert || next.key !== pair.key;
    if (unusable !== null && !isNew)
      logger.info({}, "the files have the certificate and the key in use again");
    suspected = unusable = null;
    if (!isNew) return;
    use(next);
    pair = next;
    logger.info({ ends: dateOf(pair.ends) }, "a new certificate is in use");
    warnOfDates(pair, { now, logger });
  }

  return {
    look: (): CertificateInUse => ({ ends: pair.ends, unusable }),
    start: () => repeat(LOOK_MS, "reading the certificate again", logger, look).stop,
  };
}

/** Warns of a certificate that clients refuse because of its dates. */
export function warnOfDates(
  { begins, ends }: Pair,
  { now, logger }: Pick<FollowDeps, "now" | "logger">,
): void {
  const remedy = "clients refuse it: replace the files of TLS_CERT_PATH and TLS_KEY_PATH";
  if (ends <= now())
    logger.warn({ ends: dateOf(ends) }, `the certificate has ended, ${remedy}`);
  else if (begins > now())
    logger.warn(
      { begins: dateOf(begins) },
      `the certificate is not yet valid, ${remedy}`,
    );
}

const dateOf = (time: number): string => new Date(time).toISOString();
