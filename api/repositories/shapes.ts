import { z } from "@hono/zod-openapi";
import type { Answer, Check } from "../../domain/check.ts";
import type { ProjectRow } from "../../db/content/projects.ts";
import type { RepositoryRow } from "../../db/content/repositories.ts";
import { OVERWRITE_TYPES } from "../../domain/repository-types.ts";
import type { Quota } from "../../domain/quota.ts";
import type { Text } from "../../domain/text.ts";
import { formatTime } from "../../domain/time.ts";
import { REPOSITORY_CATEGORIES, REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import {
  optional,
  orDefault,
  protocolIn,
  protocolOut,
  realmsIn,
  realmsOut,
  time,
} from "../http/fields.ts";

const MOST_TEXT = 1024;

export const PROJECT_NAME = /^[a-zA-Z_][a-zA-Z0-9\-_]{1,99}$/;
export const REPOSITORY_NAME = /^[a-zA-Z_][a-zA-Z0-9.\-_]{1,63}$/;

const projectName = z.string().openapi({
  description: "2 to 100 letters, digits, - or _; the first is a letter or _",
  example: "demo",
});
const repositoryName = z.string().openapi({
  description: "2 to 64 letters, digits, ., - or _; the first is a letter or _",
  example: "generic-local",
});

const quotaIn = optional(z.int().min(0)).openapi({
  description: "Most bytes of all files together; absent or null: no limit",
});
const quota = {
  quota: z
    .int()
    .nullable()
    .openapi({ description: "Most bytes of all files together; null: no limit" }),
  used: z.int().openapi({ description: "Bytes of all files together" }),
};

export const QuotaInfo = z.object(quota).openapi("Quota");

export const ProjectCreate = z
  .object({
    name: projectName,
    displayName: optional(z.string().max(MOST_TEXT)),
    description: optional(z.string().max(MOST_TEXT)),
    quota: quotaIn,
  })
  .openapi("ProjectCreate");
export type ProjectCreate = z.output<typeof ProjectCreate>;

export const ProjectInfo = z
  .object({
    name: z.string(),
    displayName: z.string(),
    description: z.string().nullable(),
    ...quota,
  })
  .openapi("Project");

export const toProjectInfo = (
  { name, displayName, description }: ProjectRow,
  { quota: most, used }: Quota,
) => ({ name, displayName, description, quota: most, used });

const credentials = z.object({
  username: optional(z.string()),
  password: optional(z.string()).openapi({
    description: "Stored sealed and never shown",
  }),
  token: optional(z.string()).openapi({
    description: "Instead of a password; stored sealed and never shown",
  }),
});

const settings = z
  .object({
    allowOverwrite: optional(z.boolean()).openapi({
      description:
        "Hosted MAVEN: whether a file of a release may be replaced; false by default",
    }),
  })
  .openapi("RepositorySettings");

const LINKED_URL =
  "Linked: http(s) url of the registry; a path is a namespace. " +
  "Or s3://bucket/prefix (protocol S3), file:///folder (protocol DIRECTORY)";

export const Configuration = z
  .object({
    type: z.enum(["local", "remote"]).openapi({
      description: "local: hosted here; remote: stands for a registry elsewhere",
    }),
    url: optional(z.string()).openapi({
      description: LINKED_URL,
      example: "https://registry.example/ns",
    }),
    protocol: protocolIn,
    credentials: optional(credentials),
    token: optional(z.string()).openapi({ description: "The same as credentials.token" }),
    acceptedRealms: realmsIn,
    certificate: optional(z.string()).openapi({
      description: "Linked: PEM of a private CA",
    }),
    insecureSkipVerify: optional(z.boolean()).openapi({
      description: "Linked: accept any certificate",
    }),
    settings: optional(settings),
  })
  .openapi("RepositoryConfiguration");
export type Configuration = z.output<typeof Configuration>;

const texts = {
  description: optional(z.string().max(MOST_TEXT)),
  displayName: optional(z.string().max(MOST_TEXT)),
};

export const RepositoryCreate = z
  .object({
    projectId: projectName,
    name: repositoryName,
    type: z.enum(REPOSITORY_TYPES),
    category: orDefault(z.enum(REPOSITORY_CATEGORIES), "LOCAL").openapi({
      description: "LOCAL: hosted here; REMOTE: linked",
    }),
    public: orDefault(z.boolean(), false).openapi({
      description: "Stored, without effect",
    }),
    configuration: optional(Configuration),
    quota: quotaIn,
    ...texts,
  })
  .openapi("RepositoryCreate");
export type RepositoryCreate = z.output<typeof RepositoryCreate>;

export const RepositoryUpdate = z
  .object({
    public: optional(z.boolean()),
    configuration: optional(Configuration),
    ...texts,
  })
  .openapi("RepositoryUpdate", {
    description:
      "A field that is absent or null stays as it is, except configuration.protocol and acceptedRealms. An " +
      "empty text clears a field",
  });
export type RepositoryUpdate = z.output<typeof RepositoryUpdate>;

export const RepositoryInfo = z
  .object({
    projectId: z.string(),
    name: z.string(),
    type: z.enum(REPOSITORY_TYPES),
    category: z.enum(REPOSITORY_CATEGORIES),
    public: z.boolean(),
    description: z.string().nullable(),
    displayName: z.string().nullable(),
    configuration: z.object({
      type: z.enum(["local", "remote"]),
      url: z.string().nullable(),
      protocol: protocolOut,
      credentials: z.object({ username: z.string().nullable() }).nullable(),
      acceptedRealms: realmsOut,
      certificate: z.string().nullable(),
      insecureSkipVerify: z.boolean(),
      settings: z
        .object({ allowOverwrite: z.boolean() })
        .optional()
        .openapi({ description: "Hosted MAVEN" }),
    }),
    ...quota,
    createdBy: z.string(),
    createdDate: time,
    lastModifiedBy: z.string(),
    lastModifiedDate: time,
  })
  .openapi("Repository");

/**
 * Describes a repository for answers. `credentials` is null without credentials, else it has only
 * the user name; passwords and tokens are never shown. `used`: the bytes of its files.
 */
export function toRepositoryInfo(
  row: RepositoryRow,
  used: number,
  zone: string,
): z.output<typeof RepositoryInfo> {
  const {
    projectId,
    name,
    type,
    category,
    description,
    displayName,
    url,
    protocol,
    username,
    secret,
    acceptedRealms,
    certificate,
    insecureSkipVerify,
    allowOverwrite,
  } = row;
  const linked = category === "REMOTE";
  const hasCredentials = username !== null || secret !== null;
  return {
    projectId,
    name,
    type,
    category,
    public: row.public,
    description,
    displayName,
    configuration: {
      type: linked ? "remote" : "local",
      url,
      protocol,
      credentials: hasCredentials ? { username } : null,
      acceptedRealms,
      certificate,
      insecureSkipVerify,
      ...(OVERWRITE_TYPES.includes(type) && !linked
        ? { settings: { allowOverwrite } }
        : {}),
    },
    quota: row.quota,
    used,
    createdBy: row.createdBy,
    createdDate: formatTime(row.createdDate, zone),
    lastModifiedBy: row.lastModifiedBy,
    lastModifiedDate: formatTime(row.lastModifiedDate, zone),
  };
}

const answer = z.object({
  ok: z
    .boolean()
    .nullable()
    .openapi({ description: "null: unknown, could not be tested" }),
  message: z.string(),
});
export const LinkedCheck = z
  .object({
    reachable: answer,
    product: answer.openapi({
      description: "Whether the server speaks the protocol of the repository",
    }),
    authenticated: answer,
    allowed: answer,
    realm: z.string().optional().openapi({
      description:
        "The token server at which the registry demands the password (see acceptedRealms); absent: none",
    }),
  })
  .openapi("LinkedCheck");
type LinkedCheck = z.output<typeof LinkedCheck>;

/** Writes the result of a check in one of the languages of the API. */
export function toLinkedCheck(
  check: Check,
  realm: string | null,
  language: keyof Text,
): LinkedCheck {
  const write = ({ ok, message }: Answer) => ({ ok, message: message[language] });
  return {
    reachable: write(check.reachable),
    product: write(check.product),
    authenticated: write(check.authenticated),
    allowed: write(check.allowed),
    ...(realm === null ? {} : { realm }),
  };
}
