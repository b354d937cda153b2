import { expect, test } from "vitest";
import { chineseOf, SAYINGS } from "../../domain/chinese/reason.ts";
import { ALERT_RULES } from "../../domain/alerts.ts";
import { messagesOf, VALUE } from "../measure/messages.ts";
import { isTest, readSources } from "../measure/sources.ts";

/** Holes and punctuation, at which a sentence may be composed. */
const JOINTS = /\{[^}]+\}|[:;,.()] ?|`/;
/** Pieces that the program puts together from values. */
const COMPOSED = [
  "waited for",
  "not yet to a REMOTE cluster",
  "cannot be sent yet to a REMOTE cluster",
  "has other content there and the conflict strategy is FAST_FAIL",
  "and what is published there never changes",
  "is published there with another tarball and must not change",
  "is released there with other content and must not change",
  ...["files", "packages", "images"].flatMap((content) => [
    `${content} of a hosted`,
    `${content} of a linked`,
  ]),
  "repositories that speak",
];
/** A source's text with its literals joined. */
const plain = (text: string) =>
  text.replaceAll(/["'`]\s*\+\s*["'`]/g, "").replaceAll("\\`", "`");

test("every sentence that has a Chinese is one that the program says", () => {
  const sources = readSources(".")
    .filter(({ path }) => !/^(?:test|domain\/chinese)\//.test(path))
    .map(({ text }) => plain(text))
    .join("\n");
  const pieces = SAYINGS.flatMap(([en]) => en.split(JOINTS).map((piece) => piece.trim()));
  const unsaid = pieces.filter((piece) => piece.length > 9 && !sources.includes(piece));
  expect(COMPOSED).toEqual(expect.arrayContaining([...new Set(unsaid)]));
});

test("every Chinese sentence has the values of the English one", () => {
  const holesOf = (text: string) => [...text.matchAll(/\{[^}]+\}/g)].map(String).sort();
  for (const [en, zh] of SAYINGS) expect([en, holesOf(zh)]).toEqual([en, holesOf(en)]);
});

test("every failure of a transfer is said in Chinese, save the words of others", () => {
  const messages = readSources(".")
    .filter((source) => !isTest(source))
    .flatMap((source) => messagesOf(source, "TransferError"))
    .filter((message) => /[a-z]{3} [a-z]/.test(message));
  expect(messages.length).toBeGreaterThan(80);
  const said = messages.map((message) =>
    chineseOf(message).replaceAll(`原文：${VALUE}`, ""),
  );
  expect(said.filter((message) => message.includes("原文"))).toEqual([]);
});

test("every hint of an alert has a Chinese", () => {
  for (const { hint } of Object.values(ALERT_RULES))
    expect(chineseOf(hint)).not.toMatch(/原文|[a-z]+ [a-z]+ (?!worker)[a-z]+/);
});

test.each([
  ["stopped by admin", "由 admin 停止"],
  [
    "registry 127.0.0.1:1: connection refused (ECONNREFUSED): is the server running, and is the port right?",
    "外部仓库 127.0.0.1:1：连接被拒绝（ECONNREFUSED）：服务器是否在运行，端口是否正确？",
  ],
  [
    "2 of 5 artifacts failed, first app:1: registry r.example: the connection broke off (ECONNRESET) (tried for 900 s)",
    "5 个制品中有 2 个失败，第一个：app:1: registry r.example：连接中断（ECONNRESET）（已尝试 900 秒）",
  ],
  [
    "stopped at the first failure (FAST_FAIL): a.txt: 磁盘坏了",
    "在第一个失败处停止（FAST_FAIL）：原文：a.txt: 磁盘坏了",
  ],
  [
    "files → second: images of a linked OCI repository cannot be sent yet to a REMOTE cluster",
    "files → second：OCI 远程仓库的镜像尚不能发送到 REMOTE 集群",
  ],
  ["p/files does something new", "原文：p/files does something new"],
  [
    "not authenticated: r.example demands a login, and none was given: set username and password, or token",
    "认证失败：r.example 需要登录，但未提供凭据：请设置 username 和 password，或 token",
  ],
  [
    "not the right product: r.example answers, but not as an image registry does (GET /v2/ was answered 200 with a " +
      "page for browsers): check host, port and path of the url, and the protocol",
    "产品不符：r.example 有应答，但不是镜像仓库（GET /v2/ 得到的应答是 200，内容是网页）：" +
      "请检查 url 的主机、端口和路径，以及 protocol",
  ],
  ["GET /v2/ was answered 404", "GET /v2/ 得到的应答是 404"],
  ["it answered 405 to the beginning of an upload", "对开始上传的请求应答了 405"],
  ["the run is over; stopped by admin", "运行已结束；由 admin 停止"],
  [
    "blob sha256:ab of app of r.example: the source sends less than the expected 9 bytes: " +
      "the copy at the source is corrupt; push it there again (tried 3 times)",
    "r.example 上 app 的 blob sha256:ab：来源发送了少于预期的 9 字节：" +
      "来源的副本已损坏；请在该处重新推送（已尝试 3 次）",
  ],
  [
    "upload to app: http://r.example/v2/app/blobs/uploads/ answered 500 (no disk)",
    "上传到 app：http://r.example/v2/app/blobs/uploads/ 应答 500（原文：no disk）",
  ],
  ["r.example answered nothing of use", "原文：r.example answered nothing of use"],
  [
    "files to p/r: second.example says: a/b.jar is released there with other content and must not change: " +
      "publish the content under another version, or choose the conflict strategy SKIP",
    "发往 p/r 的文件：second.example 的应答：a/b.jar 在该处以其他内容发布，不得更改：" +
      "请以另一个版本发布该内容，或选择冲突策略 SKIP",
  ],
  [
    "stopped by admin; the run could not end on its own: the workflow code has failed 3 times: boom",
    "由 admin 停止；运行无法自行结束：工作流代码已失败 3 次：原文：boom",
  ],
])("the reason %j is said in Chinese", (reason, zh) => {
  expect(chineseOf(reason)).toBe(zh);
});

test("a reason that another server made long and nested is said as far as a limit, and quoted behind it", () => {
  const nested = "cannot be planned: ".repeat(90) + "x: ".repeat(90);
  expect(chineseOf(nested)).toMatch(/^(?:无法制定计划：){3,9}原文：cannot be planned: /);
  expect(chineseOf(nested.repeat(9))).toMatch(/^原文：cannot be planned: /);
});
