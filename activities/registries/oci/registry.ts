import { type Budgets, BUDGETS } from "../../../domain/budgets.ts";
import { TransferError } from "../../../domain/failure.ts";
import { parseRegistryUrl, type RegistryAddress } from "../../../domain/reference.ts";
import type { Check } from "../../../domain/check.ts";
import { givenLogin, secretsOf } from "../login.ts";
import { createHttpClient, type HttpOptions } from "../http.ts";
import { createAccess } from "./access.ts";
import { createBlobs, type Blobs } from "./blobs.ts";
import { checkRegistry, type CheckScope } from "./check.ts";
import type { Credentials } from "./authorization.ts";
import { createRegistryClient } from "./client.ts";
import { createListing, type Listing } from "./listing.ts";
import { createManifests, type Manifests } from "./manifests.ts";
import { createReferrers, type Referrers } from "./referrers.ts";
import { createSmallBlobs, type SmallBlobs } from "./small-blobs.ts";
import { createManners } from "./told.ts";
import { createUploads, type Uploads } from "./uploads.ts";

export type OciRegistryOptions = Credentials &
  Omit<HttpOptions, "secrets"> & {
    /** The address of the registry; its path is the namespace of all repositories. */
    url: string;
    /** True for a registry that is written to: tokens are then requested for pull and push together. */
    pushes?: boolean | undefined;
  };

/**
 * A client of a registry that implements distribution-spec 1.1. Errors are TransferErrors; no function retries,
 * except once with a new token.
 */
export type OciRegistry = Manifests &
  Referrers &
  Blobs &
  Uploads &
  SmallBlobs &
  Listing & {
    readonly host: string;
    readonly budgets: Budgets;
    check: (scope: CheckScope, signal?: AbortSignal) => Promise<Check>;
    close: () => Promise<void>;
  };

/** Opens a client; throws `invalid` when the URL is not the address of a registry. */
export function createOciRegistry(options: OciRegistryOptions): OciRegistry {
  const address = parseRegistryUrl(options.url);
  if (address === null)
    throw new TransferError(
      "invalid",
      "the registry's url must be http(s)://host[:port][/namespace], without credentials or query",
    );
  return createOciRegistryAt(address, options);
}

export function createOciRegistryAt(
  address: RegistryAddress,
  options: Omit<OciRegistryOptions, "url">,
): OciRegistry {
  const http = createHttpClient({
    ...options,
    home: new URL(address.origin).hostname,
    secrets: secretsOf(options),
  });
  const client = createRegistryClient(http, address, options);
  const access = createAccess(address, options.pushes ?? false);
  const manners = createManners();
  const { budgets = BUDGETS } = options;
  const listing = createListing(client, access, address, budgets);
  const blobs = createBlobs(client, access, manners, budgets);
  const uploads = createUploads(client, access, manners);
  const { namespace } = address;
  const given = options.authorization ? "whole" : givenLogin(options);
  return {
    host: client.origin.host,
    budgets,
    ...createManifests(client, access, listing, manners),
    ...createReferrers(client, access, manners, budgets),
    ...blobs,
    ...listing,
    ...uploads,
    ...createSmallBlobs({ ...blobs, ...uploads }),
    check: (scope, signal) =>
      checkRegistry({ http, client, access, uploads, given, namespace }, scope, signal),
    close: http.close,
  };
}
