import dns from "node:dns";
import net from "node:net";
import type { LookupFunction } from "node:net";
import { addressesIn } from "./embedded-address.ts";
import { TransferError } from "../../domain/failure.ts";

/**
 * Addresses that are refused unless ALLOWED_ADDRESSES names them: link-local ones, and those at which clouds
 * serve the metadata and credentials of a machine. Loopback and all other private ranges are allowed.
 */
const isRefused = createList([
  "169.254.0.0/16",
  "fe80::/10",
  "fd00:ec2::/32",
  "fd20:ce::254/128",
  "100.100.100.200/32",
  "168.63.129.16/32",
  "192.0.0.192/32",
]);

/** Addresses of this machine and of private networks (RFC 6890, 3879). Public ends may not lead to them. */
const isPrivate = createList([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "::/128",
  "::1/128",
  "fc00::/7",
  "fec0::/10",
]);

/** Why an address is refused. */
type Reason = "metadata" | "private";

/** A refused address that a host name resolves to. */
export class AddressRefusal extends Error {
  override readonly name = "AddressRefusal";
  readonly address: string;
  readonly reason: Reason;

  constructor(address: string, reason: Reason) {
    super(refusalOf(address, reason));
    this.address = address;
    this.reason = reason;
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
 * single addresses). `home`: the host of the end; once it is known to be at a public address, private addresses of
 * other hosts are refused, too: the end has named them.
 */
export function createAddressGuard(
  allowed: readonly string[],
  home: string | null = null,
): AddressGuard {
  const isExempt = createList(allowed);
  let isHomePublic = home !== null && isAddress(home) && !isPrivate(plainHost(home));

  function refusal(host: string, address: string): Reason | null {
    if (isExempt(address)) return null;
    if (isRefused(address)) return "metadata";
    return isHomePublic && host !== home && isPrivate(address) ? "private" : null;
  }

  return {
    checkHost(host) {
      const reason = isAddress(host) ? refusal(host, plainHost(host)) : null;
      if (reason !== null) throw new TransferError("invalid", refusalOf(host, reason));
    },
    lookup(hostname, options, callback) {
      dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, "", 0);
        if (hostname === home && addresses.length > 0)
          isHomePublic = !addresses.some(({ address }) => isPrivate(address));
        for (const { address } of addresses) {
          const reason = refusal(hostname, address);
          if (reason !== null)
            return callback(new AddressRefusal(address, reason), "", 0);
        }
        if (options.all === true) return callback(null, addresses);
        const [first] = addresses;
        return callback(null, first?.address ?? "", first?.family ?? 0);
      });
    },
  };
}

const plainHost = (host: string): string => host.replace(/^\[|\]$/g, "");
const isAddress = (host: string): boolean => net.isIP(plainHost(host)) !== 0;

export const refusalOf = (where: string, reason: Reason): string =>
  reason === "metadata"
    ? `${where} is a link-local or metadata address, which is refused: ` +
      "if it is a registry, add its range to ALLOWED_ADDRESSES"
    : `${where} is a private address, to which an end at a public one leads, so it is refused: ` +
      "if that is right, add its range to ALLOWED_ADDRESSES";

/** Returns whether an address, or one to which it leads, is in one of the ranges. */
function createList(ranges: readonly string[]): (address: string) => boolean {
  const list = new net.BlockList();
  for (const range of ranges) {
    const [address = "", prefix] = range.trim().split("/");
    const family = net.isIPv6(address) ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) =>
    addressesIn(address).some((each) =>
      list.check(each, net.isIPv6(each) ? "ipv6" : "ipv4"),
    );
}
