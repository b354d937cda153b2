import type { ConnectionOptions } from "@temporalio/client";
import { text, type Text } from "../domain/text.ts";
import { type Finding, probe } from "./probe.ts";

/** The settings for reaching Temporal, a part of `Config`. */
export type TemporalSettings = {
  temporalAddress: string;
  temporalApiKey?: string | undefined;
  temporalTls?: ConnectionOptions["tls"] | undefined;
};

/** Where a process has Temporal's address from: a setting, the embedded server, or the control plane. */
export type AddressSource = "setting" | "embedded" | "controlPlane";

export type Asked = {
  settings: TemporalSettings;
  namespace: string;
  source: AddressSource;
};

/** Why Temporal does not answer. `kind` stays the same from look to look, unlike the details in the reason. */
type Diagnosis = { kind: string; reason: Text };

/** Codes of gRPC with which Temporal itself, or another gRPC server, refuses a request. */
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;

/** What to do about a wrong address, by where it comes from. */
const CORRECT_ADDRESS = {
  setting: text("correct TEMPORAL_ADDRESS", "更正 TEMPORAL_ADDRESS"),
  embedded: text("see the log of the service", "查看服务日志"),
  controlPlane: text(
    "set TEMPORAL_BIND where the service runs, or TEMPORAL_ADDRESS of this worker",
    "在服务所在机器上设置 TEMPORAL_BIND，或为此 worker 设置 TEMPORAL_ADDRESS",
  ),
} as const satisfies Record<AddressSource, Text>;

/**
 * Returns why Temporal did not answer with anything but this error, and what to do. Where the error is not an answer
 * of a server, it says nothing of use, so the address is looked at.
 */
export async function diagnose(error: unknown, asked: Asked): Promise<Diagnosis> {
  const { code, details } = fieldsOf(error);
  const refusal = ofAnswer(code, details, asked);
  if (refusal !== null) return { kind: `answer ${code}`, reason: refusal };
  const finding = await look(asked.settings);
  return {
    kind: finding.kind === "failed" ? `failed ${finding.code}` : finding.kind,
    reason: ofFinding(finding, asked, details),
  };
}

/** Returns what a server says with its refusal; null when the code is not one of a refusal. */
function ofAnswer(code: unknown, details: string, asked: Asked): Text | null {
  const { temporalAddress: at } = asked.settings;
  switch (code) {
    case NOT_FOUND:
      return text(
        `Temporal at ${at} has no namespace ${asked.namespace}: create it, or correct TEMPORAL_NAMESPACE`,
        `${at} 上的 Temporal 没有命名空间 ${asked.namespace}：请创建它，或更正 TEMPORAL_NAMESPACE`,
      );
    case PERMISSION_DENIED:
    case UNAUTHENTICATED:
      return text(
        `Temporal at ${at} refuses the namespace ${asked.namespace} (${details}): ` +
          "check TEMPORAL_API_KEY or the client's certificate, their rights, and TEMPORAL_NAMESPACE",
        `${at} 上的 Temporal 拒绝访问命名空间 ${asked.namespace}（${details}）：` +
          "请检查 TEMPORAL_API_KEY 或客户端证书及其权限，以及 TEMPORAL_NAMESPACE",
      );
    case UNIMPLEMENTED:
      return notTemporal(asked);
    default:
      return null;
  }
}

function fieldsOf(error: unknown): { code: unknown; details: string } {
  const { code, details, message } = error as Record<string, unknown>;
  return { code, details: String(details || message || error) };
}

function look({ temporalAddress, temporalTls }: TemporalSettings): Promise<Finding> {
  const [, host = "", port] = /^\[?(.*?)\]?:(\d+)$/.exec(temporalAddress) ?? [];
  if (!temporalTls) return probe({ host, port: Number(port) }, false);
  const { serverNameOverride, serverRootCACertificate, clientCertPair } =
    temporalTls === true ? {} : temporalTls;
  return probe(
    { host, port: Number(port) },
    {
      ...(serverNameOverride && { servername: serverNameOverride }),
      ...(serverRootCACertificate && { ca: Buffer.from(serverRootCACertificate) }),
      ...(clientCertPair && {
        cert: Buffer.from(clientCertPair.crt),
        key: Buffer.from(clientCertPair.key),
      }),
    },
  );
}

function ofFinding(finding: Finding, asked: Asked, details: string): Text {
  const at = asked.settings.temporalAddress;
  switch (finding.kind) {
    case "failed":
      return ofCode(finding.code, asked);
    case "tls":
      return text(
        `${at} expects TLS: set TEMPORAL_TLS=true`,
        `${at} 要求 TLS：请设置 TEMPORAL_TLS=true`,
      );
    case "noTls":
      return text(
        `${at} does not speak TLS: set TEMPORAL_TLS=false, or correct TEMPORAL_ADDRESS`,
        `${at} 不使用 TLS：请设置 TEMPORAL_TLS=false，或更正 TEMPORAL_ADDRESS`,
      );
    case "http":
      return notTemporal(asked);
    case "open":
      return text(
        `Temporal at ${at} accepts connections but does not answer in time (${details}): check its log and its load`,
        `${at} 上的 Temporal 接受连接，但未及时应答（${details}）：请检查其日志和负载`,
      );
  }
}

function notTemporal({ settings: { temporalAddress: at } }: Asked): Text {
  return text(
    `${at} is another server, not Temporal: ` +
      "give the address of Temporal's gRPC port (usually 7233) in TEMPORAL_ADDRESS",
    `${at} 是其他服务器，而不是 Temporal：请在 TEMPORAL_ADDRESS 中填写 Temporal 的 gRPC 端口地址（通常为 7233）`,
  );
}

function ofCode(code: string, { settings, source }: Asked): Text {
  const at = settings.temporalAddress;
  const correct = CORRECT_ADDRESS[source];
  switch (code) {
    case "ECONNREFUSED":
      return text(
        `nothing listens at ${at}: start Temporal there, or ${correct.en}`,
        `${at} 上没有服务在监听：请在该处启动 Temporal，或${correct.zh}`,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return text(
        `the host name in ${at} cannot be resolved: ${correct.en}, or check the DNS of this machine`,
        `无法解析 ${at} 的主机名：请${correct.zh}，或检查本机的 DNS`,
      );
    case "CERT_HAS_EXPIRED":
      return text(
        `the certificate of ${at} has expired: renew it there, or check the clock of this machine`,
        `${at} 的证书已过期：请在该处更新证书，或检查本机时钟`,
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return text(
        `the certificate of ${at} is for another host name: set TEMPORAL_TLS_SERVER_NAME to the name in it`,
        `${at} 的证书属于另一个主机名：请将 TEMPORAL_TLS_SERVER_NAME 设为证书中的名称`,
      );
    default:
      return ofOtherCode(code, at, correct);
  }
}

function ofOtherCode(code: string, at: string, correct: Text): Text {
  if (/^ERR_SSL_.*ALERT/.test(code))
    return text(
      `${at} refuses the TLS session (${code}): check TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH`,
      `${at} 拒绝 TLS 会话（${code}）：请检查 TEMPORAL_TLS_CLIENT_CERT_PATH 和 TEMPORAL_TLS_CLIENT_KEY_PATH`,
    );
  if (/CERT|ISSUER|SIGNATURE|CA$/.test(code))
    return text(
      `the certificate of ${at} is not signed by a trusted CA (${code}): ` +
        "set TEMPORAL_TLS_SERVER_CA_CERT_PATH to the PEM file of its CA",
      `${at} 的证书不是由受信任的 CA 签发（${code}）：` +
        "请将 TEMPORAL_TLS_SERVER_CA_CERT_PATH 设为其 CA 的 PEM 文件",
    );
  return text(
    `no connection to ${at} (${code}): ${correct.en}, or check the network and the firewalls between`,
    `无法连接 ${at}（${code}）：请${correct.zh}，或检查网络和中间的防火墙`,
  );
}
