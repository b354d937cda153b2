/** Repeats a bounded transaction until it changes nothing more; between them others have their turn. */
export async function inPages(page: () => number): Promise<void> {
  while (page() > 0) await new Promise((resolve) => setImmediate(resolve));
}
