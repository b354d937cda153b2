import { TransferError } from "../../../domain/failure.ts";
import { fullName, isImageName, type RegistryAddress } from "../../../domain/reference.ts";

/** How names are written in paths and in token scopes of one registry; throws `invalid` for what is no name. */
export type Access = {
  path: (name: string) => string;
  pull: (name: string) => string[];
  push: (name: string) => string[];
  /** Pushing to `name` with the right to read `from`, for a mount. */
  mount: (name: string, from: string) => string[];
};

/**
 * A client that will push asks for that at once: one token for each name, and none for a name that does not exist yet
 * is refused.
 */
export function createAccess(address: RegistryAddress, pushes: boolean): Access {
  const path = (name: string) => {
    const full = fullName(address, name);
    if (!isImageName(full))
      throw new TransferError(
        "invalid",
        `"${full.slice(0, 300)}" is no image name: lower-case letters, digits and . _ - / are allowed`,
      );
    return full;
  };
  const scope = (name: string, actions: string) => `repository:${path(name)}:${actions}`;
  const push = (name: string) => [scope(name, "pull,push")];
  return {
    path,
    pull: (name) => (pushes ? push(name) : [scope(name, "pull")]),
    push,
    mount: (name, from) => (name === from ? push(name) : [...push(name), scope(from, "pull")]),
  };
}
