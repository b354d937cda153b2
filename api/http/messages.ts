import type { Context } from "hono";
import { LOGIN_NEEDED } from "../../domain/login.ts";
import { shortened } from "../../domain/shortened.ts";
import type { Text } from "../../domain/text.ts";

/**
 * The codes of the original API (250000 + module · 100 + n) with their HTTP statuses and texts; `{0}` is the first
 * argument.
 */
export const MESSAGES = {
  250102: {
    status: 500,
    en: "system error, quote the traceId to the operator",
    zh: "系统错误，请将 traceId 告知管理员",
  },
  250103: { status: 400, en: "parameter [{0}] is missing", zh: "参数[{0}]缺失" },
  250104: {
    status: 400,
    en: "parameter [{0}] must not be empty",
    zh: "参数[{0}]不能为空",
  },
  250105: { status: 400, en: "parameter [{0}] is invalid", zh: "参数[{0}]无效" },
  250106: { status: 400, en: "request content is invalid", zh: "请求内容无效" },
  250107: { status: 400, en: "[{0}] already exists", zh: "[{0}]已存在" },
  250108: { status: 400, en: "[{0}] is not found", zh: "[{0}]不存在" },
  250112: { status: 400, en: "operation not allowed", zh: "不允许的操作" },
  250113: { status: 403, en: "permission denied", zh: "没有权限" },
  250114: { status: 401, ...LOGIN_NEEDED },
  250116: { status: 400, en: "service call failed", zh: "服务调用失败" },
  250119: {
    status: 415,
    en: "media type [{0}] is not supported",
    zh: "不支持的媒体类型[{0}]",
  },
  250124: { status: 429, en: "too many requests", zh: "请求过于频繁" },
  250130: { status: 404, en: "url [{0}] is not found", zh: "请求地址[{0}]不存在" },
  250131: { status: 400, en: "parameter validation failed", zh: "参数校验失败" },

  250301: {
    status: 400,
    en: "remote cluster [{0}] connect error",
    zh: "远程集群[{0}]连接失败",
  },
  250303: { status: 400, en: "task status invalid", zh: "任务状态不合法" },
  250304: {
    status: 400,
    en: "task is disabled, enable it first",
    zh: "任务未启用，请先启用",
  },
  250305: {
    status: 400,
    en: "cluster node [{0}] already exists",
    zh: "集群节点[{0}]已存在",
  },
  250306: {
    status: 400,
    en: "cluster node [{0}] is not found",
    zh: "集群节点[{0}]不存在",
  },
  250307: {
    status: 400,
    en: "the engine is not ready, please try again later",
    zh: "调度引擎尚未就绪，请稍后重试",
  },
  250309: {
    status: 400,
    en: "a center node already exists [{0}]",
    zh: "中心节点已存在[{0}]",
  },
  250310: {
    status: 400,
    en: "replica task [{0}] is not found",
    zh: "同步任务[{0}]不存在",
  },

  251003: { status: 400, en: "digest check failed [{0}]", zh: "摘要校验失败[{0}]" },
  251004: { status: 404, en: "project [{0}] is not found", zh: "项目[{0}]不存在" },
  251005: { status: 400, en: "project [{0}] already exists", zh: "项目[{0}]已存在" },
  251006: { status: 404, en: "repository [{0}] is not found", zh: "仓库[{0}]不存在" },
  251007: { status: 409, en: "repository [{0}] already exists", zh: "仓库[{0}]已存在" },
  251008: { status: 400, en: "repository [{0}] is not empty", zh: "仓库[{0}]不为空" },
  251010: { status: 404, en: "node [{0}] is not found", zh: "节点[{0}]不存在" },
  251011: { status: 400, en: "node path [{0}] is invalid", zh: "节点路径[{0}]无效" },
  251012: { status: 400, en: "node [{0}] already exists", zh: "节点[{0}]已存在" },
  251017: { status: 404, en: "package [{0}] is not found", zh: "包[{0}]不存在" },
  251018: { status: 400, en: "package [{0}] already exists", zh: "包[{0}]已存在" },
  251019: { status: 404, en: "version [{0}] is not found", zh: "版本[{0}]不存在" },
  251020: { status: 400, en: "version [{0}] already exists", zh: "版本[{0}]已存在" },
} as const;

export type Code = keyof typeof MESSAGES;
export type Language = keyof Text;

type Messages = typeof MESSAGES;
/** The codes whose texts contain `{0}`. */
export type NamingCode = {
  [C in Code]: Messages[C]["en"] extends `${string}{0}${string}` ? C : never;
}[Code];

/** Separates the text of a code from the sentence that is appended. */
const COLON = { en: ": ", zh: "：" } as const satisfies Record<Language, string>;

/**
 * Builds the text of a code. An argument without a place in the text is appended after a colon: it
 * says why, or what to do.
 */
export function messageOf(
  code: Code,
  args: readonly (string | Text | undefined)[],
  language: Language,
): string {
  const template = MESSAGES[code][language];
  const words = args
    .filter((arg) => arg !== undefined)
    .map((arg) => (typeof arg === "string" ? arg : arg[language]));
  const named = template.includes("{0}");
  const head = named
    ? template.replace("{0}", () => shortened(words[0] ?? "", LONGEST_NAMED))
    : template;
  return [head, ...words.slice(named ? 1 : 0)].join(COLON[language]);
}

/** Separates the sentences of several errors. */
const SEMICOLON = { en: "; ", zh: "；" } as const satisfies Record<Language, string>;
/** Maximum number of errors that one answer tells. */
const MOST_TOLD = 20;

/** Joins the sentences of what is wrong with one request, each once. */
export function joined(sentences: readonly string[], language: Language): string {
  const told = [...new Set(sentences)];
  const more = told.length - MOST_TOLD;
  const rest = { en: `and ${more} more`, zh: `另有 ${more} 处` };
  return [...told.slice(0, MOST_TOLD), ...(more > 0 ? [rest[language]] : [])].join(
    SEMICOLON[language],
  );
}

/** Joins what is wrong with one request, in both languages. */
export const joinedTexts = (texts: readonly Text[]): Text => ({
  en: joined(
    texts.map(({ en }) => en),
    "en",
  ),
  zh: joined(
    texts.map(({ zh }) => zh),
    "zh",
  ),
});

/** Maximum length of an argument (characters) that a text quotes whole: a full path fits. */
const LONGEST_NAMED = 1100;

/** Returns the language in which a request is answered. */
export const languageIn = (c: Pick<Context, "req">): Language =>
  languageOf(c.req.header("accept-language"));

/**
 * Returns the language that the client prefers of the two that the API has (RFC 9110 §12.5.4);
 * English for all others.
 */
function languageOf(acceptLanguage: string | undefined): Language {
  const offers = (acceptLanguage ?? "").split(",").map((part) => {
    const [range = "", ...params] = part.trim().toLowerCase().split(";");
    const quality = params
      .find((param) => param.trim().startsWith("q="))
      ?.trim()
      .slice(2);
    return {
      language: range.split(/[-_]/)[0],
      quality: quality === undefined ? 1 : Number(quality),
    };
  });
  const best = offers
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality);
  return best.find(({ language }) => language === "zh" || language === "en")?.language ===
    "zh"
    ? "zh"
    : "en";
}
