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

describe("unsupported replications", () => {
  test("images from hosted and linked repositories can be sent to registries and to other instances", () => {
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

  test("a replication is refused with the name of the protocol that has no connector, at either end", () => {
    expect(problem("LOCAL", "OCI", remote("DIRECTORY"))).toMatch(
      /not yet to a REMOTE cluster that speaks DIRECTORY$/,
    );
    expect(problem("REMOTE", "OCI", INSTANCE, "DIRECTORY")).toMatch(
      /linked OCI repositories that speak DIRECTORY is not built yet/,
    );
  });

  test("Helm charts cannot be sent by the connector of images, though both use OCI", () => {
    expect(problem("REMOTE", "HELM", remote("OCI"), "OCI")).toMatch(
      /linked HELM repositories that speak OCI is not built yet/,
    );
  });

  test("the refusal of an unsupported repository type lists the supported ones", () => {
    expect(problem("LOCAL", "PYPI", INSTANCE)).toBe(
      "replication of hosted PYPI repositories is not built yet; " +
        "hosted GENERIC, DOCKER, OCI, MAVEN, NPM and linked DOCKER, OCI or NPM repositories can be replicated",
    );
  });
});

describe("impossible tasks", () => {
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

  test("a task is refused if the cluster's protocol cannot carry the type, naming the protocols that can", () => {
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

  test("a task is refused if the protocol of its linked repository cannot carry the repository's type", () => {
    expect(refused("NPM", INSTANCE, { category: "REMOTE", protocol: "S3" })).toEqual({
      field: "localRepoName",
      reason: {
        en: "demo/files speaks S3, by which NPM repositories cannot be read: its protocol must be NPM",
        zh: "demo/files 的协议是 S3，不能用它读取 NPM 仓库：协议必须是 NPM",
      },
    });
  });

  test("a task is accepted if a later release could execute it", () => {
    expect([
      refused("HELM", remote("OCI")),
      refused("GENERIC", remote("S3")),
      refused("MAVEN", remote()),
      refused("CONAN", remote("HTTP")),
    ]).toEqual([null, null, null, null]);
  });
});
