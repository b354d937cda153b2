import type { Context } from "hono";
import type { Staged } from "../../activities/store/stage.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import { causeOf } from "../../db/content/damage.ts";
import { durable } from "../../db/durable.ts";
import { getNode, type NodeRow } from "../../db/content/nodes.ts";
import { type DbOrTx, write } from "../../db/open.ts";
import { putNodes, type PutResult } from "../../db/content/put-nodes.ts";
import { overQuota } from "../../db/content/quotas.ts";
import type { RepositoryRow } from "../../db/content/repositories.ts";
import { type FailureKind, TransferError } from "../../domain/failure.ts";
import { type OverQuota, overQuotaText } from "../../domain/quota.ts";
import { text, type Text } from "../../domain/text.ts";
import { lookAtContents } from "../content/look.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { ApiError, fail, failWith, type Told } from "./errors.ts";
import { CUT_MESSAGE, FAILURE_STATUS, isCut } from "./failure-status.ts";
import { readWishes, type UploadWishes } from "./file-headers.ts";
import { quoted } from "./quoted.ts";
import { repositoryOf } from "./repository.ts";
import { bodyOf, lengthOf } from "./body.ts";

const DAY = 86_400_000;

/**
 * Stores the body of a request as the file `fullPath`. When the promise resolves, the file is
 * complete and durable; when it rejects, nothing of the file is kept.
 */
export async function receiveFile(
  c: Context<Env>,
  deps: ApiDeps,
  repository: RepositoryRow,
  fullPath: string,
): Promise<NodeRow> {
  const { db, store, now, maxUpload } = deps;
  const wishes = readWishes(c.req.raw.headers);
  const size = lengthOf(c);
  if (maxUpload !== null && size !== undefined && size > maxUpload)
    refuseTooLarge(maxUpload);
  const existing = getNode(db, repository.id, fullPath, now());
  if (!wishes.overwrite && !(await isFree(deps, existing)))
    fail(251012, fullPath, OVERWRITE_HINT);
  mustFit(db, repository, existing, size);
  const body = bodyOf(c).iterator({
    destroyOnReturn: false,
  }) as AsyncIterable<Uint8Array>;
  try {
    const staged = await store.stage(body, {
      maxBytes: maxUpload ?? undefined,
      expect: { size, sha256: wishes.sha256, md5: wishes.md5 },
    });
    await fitting(staged, () => mustFit(db, repository, existing, staged.size));
    const made = await staged.commit((blob) =>
      write(db, (tx) => {
        const repairs =
          causeOf(tx, blob.sha256) !== undefined &&
          getNode(tx, repository.id, fullPath, now())?.sha256 === blob.sha256;
        const overwrite = wishes.overwrite || repairs;
        putBlobs(tx, [blob], now());
        return makeFile(
          deps,
          repository,
          fullPath,
          blob.sha256,
          { ...wishes, overwrite },
          c.get("user"),
        );
      }),
    );
    await durable(db);
    return made;
  } catch (error) {
    throw explain(error, maxUpload);
  }
}

/** Whether nothing is at a path, or only a file whose content is damaged: its right bytes may come again. */
async function isFree(deps: ApiDeps, existing: NodeRow | null): Promise<boolean> {
  if (!existing?.sha256) return existing === null;
  await lookAtContents(deps, [existing.sha256]);
  return causeOf(deps.db, existing.sha256) !== undefined;
}

/** Runs a check of a content that has arrived; when it throws, the content is discarded at once. */
export async function fitting(staged: Staged, check: () => void): Promise<void> {
  try {
    check();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

const OVERWRITE_HINT = text(
  "send X-BKREPO-OVERWRITE: true to replace it",
  "要替换它，请发送 X-BKREPO-OVERWRITE: true",
);

/**
 * Creates or replaces the row of an uploaded file and returns it; throws 251012 if its path is
 * taken. Runs in the transaction that registers the content: the repository may have been deleted
 * while the body arrived.
 */
function makeFile(
  deps: ApiDeps,
  { projectId, name }: RepositoryRow,
  fullPath: string,
  sha256: string,
  wishes: UploadWishes,
  user: string,
): NodeRow {
  const { db, now } = deps;
  const repository = repositoryOf(db, { projectId, repoName: name });
  const at = now();
  const expireDate = wishes.expires === 0 ? null : at + wishes.expires * DAY;
  const [result] = putNodes(
    db,
    repository,
    [{ fullPath, sha256, metadata: wishes.metadata, expireDate }],
    {
      overwrite: wishes.overwrite,
      user,
      now: at,
    },
  );
  mustBeMade(fullPath, result);
  return getNode(db, repository.id, fullPath, at) ?? fail(250102);
}

export function mustBeMade(fullPath: string, result: PutResult | undefined): void {
  if (result?.kind === "existed") fail(251012, fullPath, OVERWRITE_HINT);
  if (result?.kind === "overQuota") refuseOver(result.over);
  if (result?.kind !== "blocked") return;
  fail(
    251012,
    result.at,
    result.at === fullPath
      ? text(
          `${result.at} is a folder: delete it, or choose another path`,
          `${result.at} 是目录：请删除它，或选择其他路径`,
        )
      : text(
          `${result.at} is a file and cannot be a folder as well: delete it, or choose another path`,
          `${result.at} 是文件，不能同时是目录：请删除它，或选择其他路径`,
        ),
  );
}

/** Throws 413 / 250106 if a file of `size` bytes in place of what is at its path would exceed a quota. */
export function mustFit(
  db: DbOrTx,
  repository: RepositoryRow,
  existing: Pick<NodeRow, "size"> | null,
  size: number | undefined,
): void {
  const over =
    size === undefined ? null : overQuota(db, repository, size - (existing?.size ?? 0));
  if (over !== null) refuseOver(over);
}

const refuseOver = (over: OverQuota): never =>
  failWith(FAILURE_STATUS.tooLarge, 250106, overQuotaText(over));

export function refuseTooLarge(maxUpload: number): never {
  return failWith(FAILURE_STATUS.tooLarge, 250106, tooLarge(maxUpload));
}

const tooLarge = (maxUpload: number): Text =>
  text(
    `a file may have at most ${maxUpload} bytes (setting MAX_UPLOAD)`,
    `文件最多 ${maxUpload} 字节（设置 MAX_UPLOAD）`,
  );

/**
 * Failures that have codes of their own; every other failure is answered as an invalid body
 * (250106).
 */
const ANSWERS: Partial<Record<FailureKind, (why: Text) => Told>> = {
  digestMismatch: (why) => [251003, why],
  noSpace: (why) => [250102, why],
};

/**
 * Translates an error of the store, or of a cut connection, into an API error; returns any other
 * error as it is.
 */
export function explain(error: unknown, maxUpload: number | null): unknown {
  if (isCut(error)) return new ApiError([250106, CUT_MESSAGE], { cause: error });
  if (!(error instanceof TransferError)) return error;
  const { kind, message } = error;
  const why =
    kind === "tooLarge" && maxUpload !== null ? tooLarge(maxUpload) : quoted(message);
  return new ApiError(ANSWERS[kind]?.(why) ?? [250106, why], {
    status: FAILURE_STATUS[kind],
    cause: error,
  });
}
