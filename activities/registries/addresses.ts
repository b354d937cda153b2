import dns from "node:dns";
import net from "node:net";
import type { LookupFunction } from "node:net";
import { TransferError } from "../../domain/failure.ts";

/**
 * Addresses that are refused unless ALLOWED_ADDRESSES names them: link-local ones, and those at which clouds
 * serve the metadata and credentials of a machine. Loopback and all other private ranges are allowed.
 */
const REFUSED = [
  "169.254.0.0/16",
  "fe80::/10",
  "fd00:ec2::254/128",
  "fd20:ce::254/128",
  "100.100.100.200/32",
  "168.63.129.16/32",
  "192.0.0.192/32",
  "64:ff9b::a9fe:0/112",
];

/** A link-local or metadata address that a host name resolves to. */
export class AddressRefusal extends Error {
  override readonly name = "AddressRefusal";
  readonly address: string;

  constructor(address: string) {
    super(refusalOf(address));
    this.address = address;
  }
}

export type AddressGuard = {
  /**
   * Throws when `host` is a literal address that is refused. Host names are accepted here; `lookup`
   * checks the addresses that they resolve to.
   */
  checkHost: (host: string) => void;
  /**
   * Resolves a host name for a socket and refuses forbidden addresses, so that the checked address is
   * the one that is connected to.
   */
  lookup: LookupFunction;
};

/**
 * Creates a guard that refuses link-local and metadata addresses, except those in `allowed` (CIDR ranges or
 * single addresses).
 */
export function createAddressGuard(allowed: readonly string[]): AddressGuard {
  const refusedList = blockList(REFUSED);
  const allowedList = blockList(allowed);
  const refused = (address: string): boolean => {
    const family = net.isIPv6(address) ? "ipv6" : "ipv4";
    return refusedList.check(address, family) && !allowedList.check(address, family);
  };

  return {
    checkHost(host) {
      const address = host.replace(/^\[|\]$/g, "");
      if (net.isIP(address) !== 0 && refused(address))
        throw new TransferError("invalid", refusalOf(host));
    },
    lookup(hostname, options, callback) {
      dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, "", 0);
        const bad = addresses.find(({ address }) => refused(address));
        if (bad !== undefined) return callback(new AddressRefusal(bad.address), "", 0);
        if (options.all === true) return callback(null, addresses);
        const [first] = addresses;
        return callback(null, first?.address ?? "", first?.family ?? 0);
      });
    },
  };
}

export const refusalOf = (where: string): string =>
  `${where} is a link-local or metadata address, which is refused: ` +
  "if it is a registry, add its range to ALLOWED_ADDRESSES";

function blockList(ranges: readonly string[]): net.BlockList {
  const list = new net.BlockList();
  for (const range of ranges) {
    const [address = "", prefix] = range.trim().split("/");
    const family = net.isIPv6(address) ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
