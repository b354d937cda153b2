import { TransferError } from "../../../domain/failure.ts";
import {
  fullName,
  isImageName,
  type RegistryAddress,
} from "../../../domain/reference.ts";

/**
 * Builds the paths and token scopes for repositories of one registry; throws `invalid` for an invalid
 * repository name.
 */
export type Access = {
  path: (name: string) => string;
  pull: (name: string) => string[];
  push: (name: string) => string[];
  /** Returns the scopes for a push to `name` that mounts a blob from the repository `from`. */
  mount: (name: string, from: string) => string[];
};

/**
 * Creates the paths and scopes of a client. A client that pushes requests push even to read a repository: one
 * token then serves both, and registries refuse a pull-only token for a repository that does not exist yet.
 */
export function createAccess(address: RegistryAddress, pushes: boolean): Access {
  const path = (name: string) => {
    const full = fullName(address, name);
    if (!isImageName(full))
      throw new TransferError(
        "invalid",
        `"${full.slice(0, 300)}" is not a valid image name: use lower-case letters, digits and . _ - /`,
      );
    return full;
  };
  const scope = (name: string, actions: string) => `repository:${path(name)}:${actions}`;
  const push = (name: string) => [scope(name, "pull,push")];
  return {
    path,
    pull: (name) => (pushes ? push(name) : [scope(name, "pull")]),
    push,
    mount: (name, from) =>
      name === from ? push(name) : [...push(name), scope(from, "pull")],
  };
}
