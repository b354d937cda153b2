import { text, type Text } from "../text.ts";
import type { RepositoryCategory } from "../vocabulary.ts";
import { ACCESS_RULES, type GivenAccess } from "./cluster.ts";
import { isGiven, type Rule, STORED, unused } from "./rules.ts";

type Credentials = Pick<GivenAccess, "username" | "password" | "token">;
type GivenConfiguration = Omit<GivenAccess, "username" | "password"> & {
  credentials?: Credentials | null;
};
type GivenRepository = {
  category: RepositoryCategory;
  public?: boolean | null;
  /** The saved user name, which stays when none is sent. */
  username?: string | null;
  configuration: GivenConfiguration | null;
};

const PUBLIC_RULE: Rule<GivenRepository> = {
  field: "public",
  isUnused: (given) => given.public === true,
  why: STORED,
};
const LINKED_ONLY = text(
  "the repository is hosted here, and only a linked one (category REMOTE) has it",
  "该仓库是本地仓库，只有远程仓库（category 为 REMOTE）才有此设置",
);
const LOCAL_RULES: readonly Rule<GivenConfiguration>[] = (
  ["url", "credentials", "token", "certificate", "insecureSkipVerify"] as const
).map((field) => ({
  field,
  isUnused: (given) => isGiven(given[field]) && given[field] !== false,
  why: LINKED_ONLY,
}));
const LINKED_TOKEN: Rule<GivenConfiguration> = {
  field: "token",
  isUnused: ({ token, credentials }) => isGiven(token) && isGiven(credentials?.token),
  why: text("credentials.token is used instead", "将使用 credentials.token"),
};

const isOfLogin = ({ field }: Rule<GivenAccess>): boolean =>
  field === "password" || field === "token";

/** Says which settings of a repository that is saved will not be used. */
export function unusedOfRepository(given: GivenRepository): Text[] {
  const { category, configuration } = given;
  const own = unused([PUBLIC_RULE], given);
  if (configuration === null) return own;
  const at = "configuration.";
  if (category === "LOCAL") return [...own, ...unused(LOCAL_RULES, configuration, at)];
  const { credentials, ...rest } = configuration;
  const username = credentials?.username ?? given.username ?? null;
  const token = credentials?.token ?? rest.token ?? null;
  const logins = ACCESS_RULES.filter(isOfLogin);
  const links = ACCESS_RULES.filter((rule) => !isOfLogin(rule));
  return [
    ...own,
    ...unused(links, rest, at),
    ...unused(logins, { ...credentials, username, token }, `${at}credentials.`),
    ...unused([LINKED_TOKEN], configuration, at),
  ];
}
