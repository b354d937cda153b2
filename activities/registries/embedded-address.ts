import net from "node:net";
import { groupsOf } from "../../domain/ipv6.ts";

/** Where an IPv6 range carries IPv4 addresses: the positions of its four bytes. */
type Form = { range: string; prefix: number; bytes: readonly number[]; inverted?: true };

/**
 * The forms in which an IPv6 address leads to an IPv4 one: mapped and compatible addresses (RFC 4291 §2.5.5),
 * translated ones (RFC 2765 §2.1), NAT64 (RFC 6052 §2.2, RFC 8215; the local prefix with each length that it may
 * have), 6to4 (RFC 3056), Teredo (RFC 4380, whose bits are inverted) and ISATAP (RFC 5214).
 */
const FORMS: Form[] = [
  { range: "::ffff:0:0", prefix: 96, bytes: [12, 13, 14, 15] },
  { range: "::ffff:0:0:0", prefix: 96, bytes: [12, 13, 14, 15] },
  { range: "::", prefix: 96, bytes: [12, 13, 14, 15] },
  { range: "64:ff9b::", prefix: 96, bytes: [12, 13, 14, 15] },
  { range: "64:ff9b:1::", prefix: 48, bytes: [12, 13, 14, 15] },
  { range: "64:ff9b:1::", prefix: 48, bytes: [6, 7, 9, 10] },
  { range: "64:ff9b:1::", prefix: 48, bytes: [7, 9, 10, 11] },
  { range: "64:ff9b:1::", prefix: 48, bytes: [9, 10, 11, 12] },
  { range: "2002::", prefix: 16, bytes: [2, 3, 4, 5] },
  { range: "2001::", prefix: 32, bytes: [12, 13, 14, 15], inverted: true },
];

/** The bytes before the IPv4 address in an ISATAP one, without and with the bit "u" (RFC 5214 §6.1). */
const ISATAP: ReadonlySet<string> = new Set(["0.0.94.254", "2.0.94.254"]);

const RANGES = FORMS.map((form) => {
  const list = new net.BlockList();
  list.addSubnet(form.range, form.prefix, "ipv6");
  return { ...form, list };
});

/** Returns an address and all IPv4 addresses that it may lead to; a zone (`%eth0`) is left out. */
export function addressesIn(address: string): string[] {
  const [plain = ""] = address.split("%");
  if (!net.isIPv6(plain)) return [plain];
  const bytes = bytesOf(plain);
  const isatap = ISATAP.has(bytes.slice(8, 12).join("."));
  const embedded = RANGES.filter(({ list }) => list.check(plain, "ipv6")).map(
    ({ bytes: at, inverted }) =>
      at.map((index) => (bytes[index] ?? 0) ^ (inverted ? 0xff : 0)).join("."),
  );
  return [plain, ...embedded, ...(isatap ? [bytes.slice(12).join(".")] : [])];
}

/** Returns the 16 bytes of an IPv6 address. */
const bytesOf = (address: string): number[] =>
  groupsOf(address)
    .map((group) => parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 0xff]);
