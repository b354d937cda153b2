import { join } from "node:path";
import type { Tool } from "./tools.ts";

export const DOCKER_REGISTRY: Tool = {
  name: "docker-registry",
  version: "2.8",
  onPath: {
    command: "docker-registry",
    versionArgs: ["--version"],
    matches: / v?2\.8\./,
  },
  apt: { packages: ["docker-registry"], command: "docker-registry" },
  cost: "21 MB, some seconds",
};

export const DISTRIBUTION: Tool = {
  name: "registry",
  version: "v3.1.2",
  onPath: { command: "registry", versionArgs: ["--version"], matches: /v3\./ },
  go: { package: "github.com/distribution/distribution/v3/cmd/registry@v3.1.2" },
  cost: "56 MB, up to 3 minutes",
};

export const GCR_REGISTRY: Tool = {
  name: "gcr-registry",
  version: "v0.22.1",
  go: { folder: join(import.meta.dirname, "gcr") },
  cost: "6 MB, up to a minute",
};

export const REGCTL: Tool = {
  name: "regctl",
  version: "v0.11.7",
  onPath: {
    command: "regctl",
    versionArgs: ["version"],
    matches: /VCSTag:\s+v0\.1[1-9]/,
  },
  go: { package: "github.com/regclient/regclient/cmd/regctl@v0.11.7" },
  cost: "12 MB, up to a minute",
};

export const CRANE: Tool = {
  name: "crane",
  version: "v0.22.1",
  onPath: { command: "crane", versionArgs: ["version"], matches: /\d/ },
  go: { package: "github.com/google/go-containerregistry/cmd/crane@v0.22.1" },
  cost: "12 MB, up to a minute",
};

export const SKOPEO: Tool = {
  name: "skopeo",
  version: "1",
  onPath: {
    command: "skopeo",
    versionArgs: ["--version"],
    matches: /skopeo version 1\./,
  },
  apt: { packages: ["skopeo"], command: "skopeo" },
  cost: "66 MB, some seconds",
};

export const HELM: Tool = {
  name: "helm",
  version: "v3.22.0",
  onPath: { command: "helm", versionArgs: ["version", "--short"], matches: /^v3\./ },
  go: { package: "helm.sh/helm/v3/cmd/helm@v3.22.0" },
  cost: "79 MB, up to 4 minutes",
};
