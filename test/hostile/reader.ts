import { placeCalled } from "./places.ts";

/**
 * Reads hostile answers in a process of its own with a small heap, for tests: a place that made objects of such an
 * answer would end it. Asks for each place in turn when the parent names it, and reports how that ended.
 */
process.on("message", ({ place, url }: { place: string; url: string }) => {
  const started = process.memoryUsage().rss;
  placeCalled(place)
    .ask(url)
    .then(
      () => "it was believed",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    )
    .then((said) => process.send?.({ said, grown: process.memoryUsage().rss - started }));
});
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
