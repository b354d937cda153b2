import type { Protocol } from "../../domain/vocabulary.ts";
import type { Connector } from "./contract.ts";
import { instance as instanceConnector } from "./instance/connector.ts";
import { npm } from "./npm/connector.ts";
import { oci } from "./oci/connector.ts";

/**
 * Who speaks a protocol; null: nobody yet. What each can do is said in domain/protocols.ts, too, for those that decide
 * beforehand.
 */
export const connectors = {
  OCI: oci,
  NPM: npm,
  MAVEN: null,
  HELM: null,
  PYPI: null,
  CARGO: null,
  WEBDAV: null,
  HTTP: null,
  S3: null,
  DIRECTORY: null,
} as const satisfies Record<Protocol, Connector | null>;

/** Another instance of this product: a cluster of another type than REMOTE. */
export const instance = instanceConnector;
