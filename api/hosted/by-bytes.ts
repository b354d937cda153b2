/**
 * Yields the ids of rows page by page: as many as have at most `most` bytes together, at least one. So that rows can
 * be read of which each may be large.
 */
export function* byBytes(
  rows: Iterable<{ id: number; bytes: number }>,
  most: number,
): Generator<number[], void> {
  let page: number[] = [];
  let held = 0;
  for (const { id, bytes } of rows) {
    if (page.length > 0 && held + bytes > most) {
      yield page;
      page = [];
      held = 0;
    }
    page.push(id);
    held += bytes;
  }
  if (page.length > 0) yield page;
}
