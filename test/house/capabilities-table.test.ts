import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { impossible, type To, transferProblem } from "../../domain/capabilities.ts";
import { isRead, isWritten } from "../../domain/protocols.ts";
import { factsOf } from "../../domain/repository-types.ts";
import {
  PROTOCOLS,
  REPOSITORY_CATEGORIES,
  REPOSITORY_TYPES,
  type RepositoryCategory,
  type RepositoryType,
} from "../../domain/vocabulary.ts";

const INSTANCE: To = { type: "STANDALONE", protocol: null };
const REGISTRY: To = { type: "REMOTE", protocol: null };
const WORDS = { LOCAL: "hosted", REMOTE: "linked" } as const satisfies Record<
  RepositoryCategory,
  string
>;
const NO = "–";

type From = { category: RepositoryCategory; repoType: RepositoryType; protocol: null };

test("the README's table of what can be sent says what the tables in domain/ say", () => {
  const readme = readFileSync("README.md", "utf8");
  const [, section = ""] = /^## What can be sent$(.*?)^## /ms.exec(readme) ?? [];
  const [, , ...rows] = section.split("\n").filter((line) => line.startsWith("|"));
  expect(rows).toEqual(REPOSITORY_CATEGORIES.flatMap(rowsOf));
});

/** Returns the table's rows for a category: one row for all types that can be sent in the same way. */
function rowsOf(category: RepositoryCategory): string[] {
  const rows = new Map<string, RepositoryType[]>();
  for (const repoType of REPOSITORY_TYPES) {
    const from: From = { category, repoType, protocol: null };
    const targets = [INSTANCE, REGISTRY].filter(
      (to) => transferProblem(from, to) === null,
    );
    if (targets.length === 0) continue;
    const cells = JSON.stringify([readBy(from), ...cellsOf(from, targets)]);
    rows.set(cells, [...(rows.get(cells) ?? []), repoType]);
  }
  return [...rows].map(([text, types]) => {
    const [by, ...cells] = JSON.parse(text) as [string, ...string[]];
    return `| ${WORDS[category]} ${types.join(", ")}${by} | ${cells.join(" | ")} |`;
  });
}

function cellsOf(from: From, targets: readonly To[]): string[] {
  const { unit, exampleKey } = factsOf(from.repoType);
  const keys = exampleKey.split(" or ").map((key) => `\`${key}\``);
  return [
    targets.includes(INSTANCE) ? "yes" : NO,
    targets.includes(REGISTRY) ? `by ${writtenBy(from.repoType)}` : NO,
    unit !== "file" && may(from, { packages: true }, targets) ? keys.join(", ") : NO,
    may(from, { paths: true }, targets) ? "yes" : NO,
  ];
}

/** Whether a task with the given constraints can be saved for at least one of the targets. */
function may(
  from: From,
  constraints: { packages?: boolean; paths?: boolean },
  targets: readonly To[],
): boolean {
  const wanted = { packages: false, paths: false, ...constraints, ...from };
  const task = {
    ...wanted,
    repository: "project/repository",
    remote: "project/repository",
    retagged: [],
  };
  return targets.some((to) => impossible(task, "SCHEDULED", [to]) === null);
}

/**
 * Names the protocols by which a repository is read; "" for a hosted repository, which is read from the
 * store.
 */
function readBy({ category, repoType }: From): string {
  const protocols = PROTOCOLS.filter((protocol) => isRead(repoType, protocol));
  return category === "LOCAL" ? "" : `, by ${protocols.join(" or ")}`;
}

const writtenBy = (type: RepositoryType): string =>
  PROTOCOLS.filter((protocol) => isWritten(type, protocol)).join(" or ");
