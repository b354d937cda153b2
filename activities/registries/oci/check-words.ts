import type { TransferError } from "../../../domain/failure.ts";
import { text, type Text } from "../../../domain/text.ts";
import { because, no, unknown, yes } from "../check.ts";
import type { Answer } from "../../../domain/check.ts";
import type { GivenLogin } from "../login.ts";

export const isRegistry = (host: string): Answer =>
  yes(text(`${host} is an image registry`, `${host} 是镜像仓库`));

/** The answer for a server that is not an image registry; `found` says what gave it away. */
export const isOther = (host: string, found: Text): Answer =>
  no(
    text(
      `${host} answers, but not as an image registry does (${found.en}): check host, port and path of the url, ` +
        "and the protocol",
      `${host} 有应答，但不是镜像仓库（${found.zh}）：请检查 url 的主机、端口和路径，以及 protocol`,
    ),
  );

/** The answer where nothing tells an image registry from another server. */
export const isDoubtful = (host: string): Answer =>
  unknown(
    text(
      `${host} does not show whether it is an image registry`,
      `${host} 未表明自己是否为镜像仓库`,
    ),
  );

export const accepted = (host: string, given: GivenLogin): Answer =>
  given === "none"
    ? yes(text(`${host} requires no login`, `${host} 无需登录`))
    : yes(text(`${host} accepts the login`, `${host} 接受该凭据`));

export const anonymous = (host: string): Answer =>
  unknown(
    text(
      `no login was given: ${host} lets anybody read what is public`,
      `未提供凭据：${host} 允许任何人读取公开内容`,
    ),
  );

export const EVERYTHING_EXISTS = text(
  "it says that a manifest exists which cannot exist",
  "它声称一个不可能存在的清单存在",
);

export const answered = (status: number): Text =>
  text(
    `it answered ${status} to the beginning of an upload`,
    `对开始上传的请求应答了 ${status}`,
  );

export const WITHOUT_LOCATION = text(
  "it accepted an upload but named no address for it, the header Location",
  "它接受了上传，但没有给出上传地址（响应头 Location）",
);

export const mayPush = (name: string): Answer =>
  yes(text(`may push to ${name}`, `可以推送到 ${name}`));

export const mayPull = (name: string): Answer =>
  yes(text(`may pull ${name}`, `可以拉取 ${name}`));

export const MAY_LIST = yes(text("may list repositories", "可以列出镜像"));

export const mayNotPush = (host: string, name: string, error: TransferError): Answer => ({
  ok: false,
  message: because(
    text(
      `${host} does not let this login push to ${name}: give it the right to push there, or correct the path ` +
        "of the url. Where it may push to some repositories below only, attach the cluster with ping false",
      `${host} 不允许该凭据推送到 ${name}：请授予推送权限，或更正 url 的路径。` +
        "如果它只能推送到其下的部分镜像，请以 ping false 添加集群",
    ),
    error,
  ),
  ofTest: true,
});

export const takesNothing = (host: string, error: TransferError): Answer =>
  no(
    because(
      text(
        `${host} takes no uploads: check whether it is read-only, a cache of another registry, or out of order`,
        `${host} 不接受上传：请检查它是否只读、是否是其他仓库的缓存，或是否发生故障`,
      ),
      error,
    ),
  );

/** The answer where a refusal for the test's repository says nothing about the repositories of a run. */
export const maybePush = (host: string, name: string, error: TransferError): Answer =>
  unknown(
    because(
      text(
        `whether this login may push shows only with the first image, because ${host} refuses the name ${name} ` +
          "with which it was tested; the namespace of the images as path of the url makes the test meaningful",
        `${host} 拒绝了测试所用的名称 ${name}，因此只有在推送第一个镜像时才知道是否允许推送；` +
          "在 url 的路径中写明镜像的命名空间可使测试有效",
      ),
      error,
    ),
  );

export const mayNotRead = (host: string, error: TransferError): Answer =>
  no(
    because(
      text(
        `${host} does not let this login read: give it the right to, or name the packages with packageConstraints ` +
          "where only the list of repositories is refused",
        `${host} 不允许该凭据读取：请授予读取权限；如果只是拒绝列出镜像，请用 packageConstraints 指定包`,
      ),
      error,
    ),
  );

export const greeted = (status: number): Text =>
  text(
    `GET /v2/ was answered ${status}${status === 200 ? " with a page for browsers" : ""}`,
    `GET /v2/ 得到的应答是 ${status}${status === 200 ? "，内容是网页" : ""}`,
  );

/** The answer for a login that cannot be made: the token server, or what the registry says about it, is wrong. */
export const brokenLogin = (host: string, error: TransferError): Answer =>
  no(
    because(
      text(
        `the login to ${host} does not work: check the registry and its token server`,
        `无法登录 ${host}：请检查该仓库及其令牌服务器`,
      ),
      error,
    ),
  );
