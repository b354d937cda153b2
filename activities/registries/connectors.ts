import type { Protocol } from "../../domain/vocabulary.ts";
import type { Connector } from "./contract.ts";
import { instance as instanceConnector } from "./instance/connector.ts";
import { npm } from "./npm/connector.ts";
import { oci } from "./oci/connector.ts";

/**
 * The connector of each protocol; null: this release does not speak the protocol. domain/protocols.ts lists
 * the abilities of each connector, for code that decides before a connector is opened.
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

/** The connector of another instance of this product: any cluster whose type is not REMOTE. */
export const instance = instanceConnector;
