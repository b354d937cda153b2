import { describe, expect, test } from "vitest";
import {
  impossible,
  transferProblem,
  type To,
  type Wanted,
} from "../../domain/capabilities.ts";
import type {
  Protocol,
  RepositoryCategory,
  RepositoryType,
} from "../../domain/vocabulary.ts";

const INSTANCE: To = { type: "STANDALONE", protocol: null };
const remote = (protocol: Protocol | null = null): To => ({ type: "REMOTE", protocol });

const problem = (
  category: RepositoryCategory,
  repoType: RepositoryType,
  to: To,
  protocol: Protocol | null = null,
) => transferProblem({ category, repoType, protocol }, to);

describe("the reason why this version cannot send", () => {
  test("is null for images from hosted and linked repositories to registries and to other instances", () => {
    for (const type of ["DOCKER", "OCI"] as const) {
      for (const category of ["LOCAL", "REMOTE"] as const) {
        expect([
          problem(category, type, INSTANCE),
          problem(category, type, remote()),
          problem(category, type, remote("OCI")),
        ]).toEqual([null, null, null]);
      }
    }
  });

  test("names a protocol without a connector, at either end", () => {
    expect(problem("LOCAL", "OCI", remote("DIRECTORY"))).toMatch(
      /not yet to a REMOTE cluster that speaks DIRECTORY$/,
    );
    expect(problem("REMOTE", "OCI", INSTANCE, "DIRECTORY")).toMatch(
      /linked OCI repositories that speak DIRECTORY is not built yet/,
    );
  });

  test("says that charts cannot be sent by the connector of images, though both speak OCI", () => {
    expect(problem("REMOTE", "HELM", remote("OCI"), "OCI")).toMatch(
      /linked HELM repositories that speak OCI is not built yet/,
    );
  });

  test("lists the types that can be replicated when a type is not built", () => {
    expect(problem("LOCAL", "PYPI", INSTANCE)).toBe(
      "replication of hosted PYPI repositories is not built yet; " +
        "hosted GENERIC, DOCKER, OCI, MAVEN, NPM and linked DOCKER, OCI or NPM repositories can be replicated",
    );
  });
});

describe("a task that no version can ever execute", () => {
  const wanted = (repoType: RepositoryType, more: Partial<Wanted> = {}): Wanted => ({
    repository: "demo/files",
    category: "LOCAL",
    repoType,
    protocol: null,
    packages: false,
    paths: false,
    remote: "demo/files",
    retagged: [],
    ...more,
  });
  const refused = (repoType: RepositoryType, cluster: To, more?: Partial<Wanted>) =>
    impossible(wanted(repoType, more), "SCHEDULED", [INSTANCE, cluster]);

  test("is refused when the cluster's protocol cannot hold the type, with the protocols that can", () => {
    expect(refused("MAVEN", remote("OCI"))).toEqual({
      field: "remoteClusterIds",
      reason: {
        en:
          "MAVEN repositories cannot be written to a cluster that speaks OCI: " +
          "its protocol must be MAVEN or DIRECTORY",
        zh: "不能把 MAVEN 仓库写入协议为 OCI 的集群：协议必须是 MAVEN 或 DIRECTORY",
      },
    });
    expect(refused("GENERIC", remote("NPM"))?.field).toBe("remoteClusterIds");
  });

  test("is refused when the protocol of a linked repository cannot carry its type", () => {
    expect(refused("NPM", INSTANCE, { category: "REMOTE", protocol: "S3" })).toEqual({
      field: "localRepoName",
      reason: {
        en: "demo/files speaks S3, by which NPM repositories cannot be read: its protocol must be NPM",
        zh: "demo/files 的协议是 S3，不能用它读取 NPM 仓库：协议必须是 NPM",
      },
    });
  });

  test("is accepted with a protocol that its type may have, built or not, and with a type without protocols", () => {
    expect([
      refused("HELM", remote("OCI")),
      refused("GENERIC", remote("S3")),
      refused("MAVEN", remote()),
      refused("CONAN", remote("HTTP")),
    ]).toEqual([null, null, null, null]);
  });
});
