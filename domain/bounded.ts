/**
 * Sets an entry of a map; beyond `most` entries, drops the one that was added first. To let an entry that exists count
 * as new, delete it before.
 */
export function setBounded<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.set(key, value);
  if (map.size <= most) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
