import type { Logger } from "pino";
import { toTransferError, type TransferError } from "../domain/failure.ts";

const HELLO_MS = 15_000;

type HelloOptions = {
  apiUrl: string;
  hello: () => Promise<unknown>;
  /** Why the control plane did not answer, and what to do. */
  problemOf: (error: TransferError) => Promise<string>;
  log: Logger;
};

/**
 * Tells the control plane every 15 s that this worker is alive. The log has one line when the control plane went
 * away, and one when it is back. Returns how to stop it.
 */
export function keepSayingHello({ apiUrl, hello, problemOf, log }: HelloOptions) {
  let away = false;
  const say = async () => {
    try {
      await hello();
      if (away) log.info(`The control plane at ${apiUrl} answers again`);
      away = false;
    } catch (error) {
      const failure = toTransferError(error);
      // A refusal is told where the worker stops taking work because of it.
      if (away || failure.kind === "refused") return;
      away = true;
      log.warn(
        "The control plane went away; what is under way waits for it: " +
          (await problemOf(failure)),
      );
    }
  };
  const timer = setInterval(() => void say(), HELLO_MS);
  return () => clearInterval(timer);
}
