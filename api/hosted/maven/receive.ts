import type { Context } from "hono";
import type { Checksum } from "../../../domain/maven/layout.ts";
import {
  CHECKSUMS,
  checksumOf,
  isMetadata,
  isPom,
  isRelease,
  parseMavenPath,
} from "../../../domain/maven/layout.ts";
import { auditBy } from "../../../db/audit.ts";
import { putBlobs } from "../../../db/content/blobs.ts";
import { durable } from "../../../db/durable.ts";
import { getNode, type NodeRow } from "../../../db/content/nodes.ts";
import { write } from "../../../db/open.ts";
import { recordMavenFiles } from "../../../db/packages/maven/record.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { text } from "../../../domain/text.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { fail } from "../../http/errors.ts";
import { readWishes, type UploadWishes } from "../../http/file-headers.ts";
import {
  explain,
  fitting,
  mustBeMade,
  mustFit,
  refuseTooLarge,
} from "../../http/receive-file.ts";
import { bodyOf, lengthOf, wholeBody } from "../../http/body.ts";
import { parseChecksum } from "./checksums.ts";
import { mavenMemory } from "./memory.ts";
import { keepPlugins } from "./plugins.ts";
import { packagingOf } from "./pom.ts";
import { hostedMaven } from "./repository.ts";
import { watchBody } from "./watch.ts";
import { LONGEST_XML } from "./xml.ts";

/**
 * The result of an upload. `created`: false if a file was there before. `file`: null for a checksum
 * or metadata, which are not stored as they came.
 */
type Received = { created: boolean; file: NodeRow | null };

const LONGEST_CHECKSUM = 4096;

/**
 * Stores the body of a request as the file `path`, by Maven's rules; a checksum is only compared,
 * and of metadata only plugin prefixes are stored. When the promise resolves, what is stored is
 * durable; when it rejects, nothing of the body is stored.
 */
export async function receiveMaven(
  c: Context<Env>,
  deps: ApiDeps,
  repository: RepositoryRow,
  path: string,
): Promise<Received> {
  const subject = checksumOf(path);
  if (subject && checksumOf(subject.of))
    fail(
      251011,
      path,
      text(
        "checksums of checksum files are not stored: upload only the checksums of the file itself",
        "不保存校验文件的校验值：只需上传文件本身的校验值",
      ),
    );
  if (subject) return receiveChecksum(c, deps, repository, subject);
  if (!isMetadata(path)) return receiveFile(c, deps, repository, path);
  await keepPlugins(
    deps,
    repository,
    path,
    await wholeBody(c, LONGEST_XML),
    c.get("user"),
  );
  return { created: true, file: null };
}

/**
 * Compares an uploaded checksum with its file and throws 251003 if they differ; remembers it if the
 * file is not there yet. The checksum is never stored: the server computes its own.
 */
async function receiveChecksum(
  c: Context<Env>,
  { db, store, now }: ApiDeps,
  { id }: RepositoryRow,
  { of, checksum }: { of: string; checksum: Checksum },
): Promise<Received> {
  const sent = (await wholeBody(c, LONGEST_CHECKSUM)).toString("utf8");
  // The checksum of a client's metadata is not compared, because the server makes its own metadata.
  if (isMetadata(of)) return { created: true, file: null };
  const told =
    parseChecksum(sent, checksum) ??
    fail(
      250106,
      text(
        `${of}.${checksum} must be the ${checksum} of ${of} in hex`,
        `${of}.${checksum} 必须是 ${of} 的十六进制 ${checksum}`,
      ),
    );
  const node = getNode(db, id, of, now());
  if (!node?.sha256) {
    mavenMemory(store).expectations.add(id, of, checksum, told);
    return { created: true, file: null };
  }
  const found = await mavenMemory(store).checksumOf(
    { ...node, sha256: node.sha256 },
    checksum,
  );
  if (found !== told)
    fail(
      251003,
      `${of}.${checksum}`,
      text(
        `the ${checksum} of ${of} is ${found}, not ${told}; the file was kept, with its actual checksum. ` +
          "If the file is wrong, upload it again; a released file must be deleted first",
        `${of} 的 ${checksum} 是 ${found}，而不是 ${told}；文件已保留，并使用其实际校验值。` +
          "如果文件有误，请重新上传；发布版本的文件须先删除",
      ),
    );
  return { created: true, file: null };
}

async function receiveFile(
  c: Context<Env>,
  deps: ApiDeps,
  repository: RepositoryRow,
  path: string,
): Promise<Received> {
  const { db, store, maxUpload } = deps;
  const wishes = readWishes(c.req.raw.headers);
  if (wishes.expires !== 0)
    fail(
      250112,
      text(
        "files of MAVEN repositories do not expire: leave the header X-BKREPO-EXPIRES out",
        "MAVEN 仓库的文件不会过期：请去掉 X-BKREPO-EXPIRES 请求头",
      ),
    );
  const size = lengthOf(c);
  if (maxUpload !== null && size !== undefined && size > maxUpload)
    refuseTooLarge(maxUpload);
  refuseOtherSize(deps, repository, path, size);
  const fits = (bytes: number | undefined) =>
    mustFit(db, repository, getNode(db, repository.id, path, deps.now()), bytes);
  fits(size);
  const expected = Object.fromEntries(
    mavenMemory(store).expectations.take(repository.id, path),
  );
  const file = parseMavenPath(path);
  const watched = watchBody(
    bodyOf(c).iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    {
      hashes: CHECKSUMS.filter((checksum) => expected[checksum] !== undefined),
      keep: file && isPom(file) ? LONGEST_XML : 0,
    },
  );
  try {
    const staged = await store.stage(watched.body, {
      maxBytes: maxUpload ?? undefined,
      expect: { size, sha256: wishes.sha256, md5: wishes.md5 },
    });
    const wrong = Object.entries(watched.digests()).find(
      ([checksum, found]) => expected[checksum] !== found,
    );
    if (wrong) {
      await staged.discard();
      const [checksum, found] = wrong;
      fail(251003, path, unexpected(checksum, found, expected[checksum]));
    }
    const packagings =
      file && isPom(file)
        ? new Map([[staged.sha256, packagingOf(watched.kept())]])
        : new Map<string, string>();
    await fitting(staged, () => fits(staged.size));
    const received = await staged.commit((blob) =>
      write(db, (tx) => {
        putBlobs(tx, [blob], deps.now());
        return makeFile(deps, repository, {
          path,
          sha256: blob.sha256,
          wishes,
          packagings,
          user: c.get("user"),
        });
      }),
    );
    await durable(db);
    return received;
  } catch (error) {
    throw explain(error, maxUpload);
  }
}

const unexpected = (checksum: string, found: string, expected: string | undefined) =>
  text(
    `the uploaded file has ${checksum} ${found}, but its .${checksum} file, uploaded before, says ${expected}. ` +
      "The file was discarded: upload both again",
    `上传文件的 ${checksum} 是 ${found}，但先前上传的 .${checksum} 文件中是 ${expected}。文件已丢弃：请重新上传两者`,
  );

const RELEASED = text(
  "a released file must not change; deploy another version, " +
    "or set configuration.settings.allowOverwrite of the repository",
  "已发布的文件不能修改；请部署其他版本，或设置仓库的 configuration.settings.allowOverwrite",
);

const mayChange = (repository: RepositoryRow, path: string): boolean => {
  const file = parseMavenPath(path);
  return file === null || !isRelease(file.version) || repository.allowOverwrite;
};

/**
 * Throws 251012 for an upload over a file that must not change if its length differs, because then
 * its content differs, too. This happens before the body is read.
 */
function refuseOtherSize(
  { db, now }: ApiDeps,
  repository: RepositoryRow,
  path: string,
  size: number | undefined,
): void {
  const node = getNode(db, repository.id, path, now());
  if (
    node?.sha256 &&
    size !== undefined &&
    node.size !== size &&
    !mayChange(repository, path)
  )
    fail(251012, path, RELEASED);
}

type FileToBe = {
  path: string;
  sha256: string;
  wishes: UploadWishes;
  packagings: Map<string, string>;
  user: string;
};

/**
 * Creates or replaces an uploaded file; throws 251012 for a file that must not change. Runs in the
 * transaction that registers the content: the repository may have changed, or have been deleted,
 * while the body arrived.
 */
function makeFile(
  { db, now }: ApiDeps,
  { projectId, name }: RepositoryRow,
  { path, sha256, wishes, packagings, user }: FileToBe,
): Received {
  const repository = hostedMaven(db, { projectId, repoName: name });
  const at = now();
  const existing = getNode(db, repository.id, path, at);
  if (existing?.sha256 && existing.sha256 !== sha256 && !mayChange(repository, path))
    fail(251012, path, RELEASED);
  const partOfVersion = parseMavenPath(path) !== null;
  const metadata = Object.keys(wishes.metadata).length > 0 ? wishes.metadata : null;
  if (existing?.sha256 !== sha256 || metadata !== null) {
    const [result] = putNodes(
      db,
      repository,
      [{ fullPath: path, sha256, metadata, partOfVersion }],
      {
        overwrite: true,
        user,
        now: at,
      },
    );
    mustBeMade(path, result);
  }
  recordMavenFiles(db, repository, [path], auditBy({ user, now: at }), at, packagings);
  return { created: existing === null, file: getNode(db, repository.id, path, at) };
}
