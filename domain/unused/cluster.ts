import { text, type Text } from "../text.ts";
import { isGiven, type Rule, STORED, unused } from "./rules.ts";

/** How an end is reached, as it was sent; absent and null: not given. */
export type GivenAccess = {
  url?: string | null;
  username?: string | null;
  password?: string | null;
  token?: string | null;
  certificate?: string | null;
  insecureSkipVerify?: boolean | null;
};

const isPlainHttp = ({ url }: GivenAccess): boolean => /^http:/i.test(url?.trim() ?? "");
const NO_TLS = text(
  "the url begins with http:, and only https has certificates",
  "url 以 http: 开头，只有 https 才有证书",
);
export const ACCESS_RULES: readonly Rule<GivenAccess>[] = [
  {
    field: "certificate",
    isUnused: (given) => isGiven(given.certificate) && isPlainHttp(given),
    why: NO_TLS,
  },
  {
    field: "certificate",
    isUnused: (given) =>
      isGiven(given.certificate) &&
      given.insecureSkipVerify === true &&
      !isPlainHttp(given),
    why: text(
      "insecureSkipVerify accepts any certificate",
      "insecureSkipVerify 接受任何证书",
    ),
  },
  {
    field: "insecureSkipVerify",
    isUnused: (given) => given.insecureSkipVerify === true && isPlainHttp(given),
    why: NO_TLS,
  },
  {
    field: "password",
    isUnused: ({ username, password }) => isGiven(password) && !isGiven(username),
    why: text("it is sent with a username only", "密码只与 username 一起发送"),
  },
  {
    field: "token",
    isUnused: ({ username, password, token }) =>
      isGiven(token) && isGiven(username) && isGiven(password),
    why: text(
      "of a password and a token, only one is sent: leave one of them out",
      "密码和 token 只会发送其中一个：请去掉一个",
    ),
  },
];

type GivenCluster = GivenAccess & {
  appId?: string | null;
  accessKey?: string | null;
  secretKey?: string | null;
  udpPort?: number | null;
};

const CLUSTER_RULES: readonly Rule<GivenCluster>[] = [
  ...ACCESS_RULES,
  ...(["appId", "accessKey", "secretKey", "udpPort"] as const).map((field) => ({
    field,
    isUnused: (given: GivenCluster) => isGiven(given[field]),
    why: STORED,
  })),
];

/** Says which settings of a cluster that is saved will not be used. */
export const unusedOfCluster = (given: GivenCluster): Text[] =>
  unused(CLUSTER_RULES, given);
