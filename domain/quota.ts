import { byteSize } from "./disk.ts";
import { text, type Text } from "./text.ts";

/** What may be stored and what is, in bytes; `quota` null: no limit. */
export type Quota = { quota: number | null; used: number };

/** A quota that a file of `needed` bytes more would exceed. `name`: the project, or project/repository. */
export type OverQuota = {
  of: "project" | "repository";
  name: string;
  quota: number;
  used: number;
  needed: number;
};

const exact = (bytes: number) => `${byteSize(bytes)} (${bytes})`;

const WORDS = {
  project: {
    en: "the quota of project",
    zh: "项目",
    raise: "POST /repository/api/project/quota/",
  },
  repository: {
    en: "the quota of repository",
    zh: "仓库",
    raise: "POST /repository/api/repo/quota/",
  },
} as const;

/** Says which quota is in the way, how much of it is used and what to do. */
export function overQuotaText({ of, name, quota, used, needed }: OverQuota): Text {
  const { en, zh, raise } = WORDS[of];
  return text(
    `${en} ${name} is ${exact(quota)}, of which ${exact(used)} are used, and ${exact(needed)} more are needed: ` +
      `delete what is not needed, or raise the quota (${raise}${name})`,
    `${zh} ${name} 的配额为 ${exact(quota)}，已用 ${exact(used)}，还需要 ${exact(needed)}：` +
      `请删除不需要的内容，或提高配额（${raise}${name}）`,
  );
}
