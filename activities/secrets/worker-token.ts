import { randomBytes } from "node:crypto";

/** Who a worker is: an id, and a secret that it shares with the control plane and nobody else. */
export type WorkerIdentity = { id: string; secret: string };

const TOKEN = /^arw_([0-9a-z-]{1,32})_([A-Za-z0-9_-]{43})$/;

/** Returns a new secret of a worker. */
export const newWorkerSecret = (): string => randomBytes(32).toString("base64url");

/** Returns the text in which an identity is given to a worker, in WORKER_TOKEN. */
export const workerToken = ({ id, secret }: WorkerIdentity): string =>
  `arw_${id}_${secret}`;

/** Parses a WORKER_TOKEN; null when it is none. */
export function readWorkerToken(token: string): WorkerIdentity | null {
  const [, id, secret] = TOKEN.exec(token) ?? [];
  return id === undefined || secret === undefined ? null : { id, secret };
}
