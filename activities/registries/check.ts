import { toTransferError, type TransferError } from "../../domain/failure.ts";
import { chineseOf } from "../../domain/chinese/reason.ts";
import { text, type Text } from "../../domain/text.ts";
import type { Answer, Check } from "../../domain/check.ts";
import type { GivenLogin } from "./login.ts";

export const NOT_TRIED: Answer = { ok: null, message: text("not tried", "未测试") };

/** The result of a check of which no step was tried. */
export const NOTHING_TRIED: Check = {
  reachable: NOT_TRIED,
  product: NOT_TRIED,
  authenticated: NOT_TRIED,
  allowed: NOT_TRIED,
};

export const yes = (message: Text): Answer => ({ ok: true, message });
export const no = (message: Text): Answer => ({ ok: false, message });
/** The answer of a step that cannot be found out; the message says why. */
export const unknown = (message: Text): Answer => ({ ok: null, message });

/** Puts behind a sentence what the other end, a library or the network says; foreign words are not translated. */
export const because = ({ en, zh }: Text, { message }: Pick<Error, "message">): Text =>
  text(`${en} (${message})`, `${zh}（${chineseOf(message)}）`);

export const answering = (host: string): Answer =>
  yes(text(`${host} answers`, `${host} 有应答`));

/** The answer for an end that cannot be reached; the messages of transport errors have advice of their own. */
export const unreached = (host: string, { message }: TransferError): Answer =>
  no(
    text(
      message,
      `无法访问 ${host}：请确认服务正在运行，并检查 url、端口、证书和网络（${chineseOf(message)}）`,
    ),
  );

/** The answer for a server that demands fewer requests: nothing but its address is known to be right. */
export const hurried = (host: string): Check => {
  const later = unknown(
    text(
      `${host} demands fewer requests (429), so this was not found out: try again later`,
      `${host} 要求减少请求（429），因此无法判断：请稍后重试`,
    ),
  );
  return {
    reachable: answering(host),
    product: later,
    authenticated: later,
    allowed: later,
  };
};

export const noLogin = (host: string): Answer =>
  no(
    text(
      `${host} demands a login, and none was given: set username and password, or token`,
      `${host} 需要登录，但未提供凭据：请设置 username 和 password，或 token`,
    ),
  );

const noPassword = (host: string): Answer =>
  no(
    text(
      `${host} does not accept the login, which has a username and no password: set password, or token`,
      `${host} 不接受该凭据，其中有 username 但没有 password：请设置 password 或 token`,
    ),
  );

/** The answer for an end that demands a login, or another one than it was given. */
export function refusedLogin(
  host: string,
  given: GivenLogin,
  error: TransferError,
): Answer {
  if (given === "none") return noLogin(host);
  if (given === "name") return noPassword(host);
  return no(
    because(
      text(
        `${host} does not accept the login: check username and password, or token`,
        `${host} 不接受该凭据：请检查 username 和 password，或 token`,
      ),
      error,
    ),
  );
}

type Attempt<T> =
  { value: T; error?: undefined } | { value?: undefined; error: TransferError };

/** Returns what `work` returns, or the error that it throws; throws only when `signal` has fired. */
export async function attempt<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<Attempt<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return { error: toTransferError(error) };
  }
}
