/**
 * Returns the eight groups of an IPv6 address, in lower-case hex without leading zeros; an IPv4 part is two of them. A
 * zone (`%eth0`) is left out.
 */
export function groupsOf(address: string): string[] {
  const [plain = ""] = address.split("%");
  // The URL parser writes an IPv4 part in hexadecimal, too, and shortens the longest run of zeros.
  const text = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [first = [], last = []] = text
    .split("::")
    .map((part) => part.split(":").filter(Boolean));
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  return [...first, ...zeros, ...last];
}
