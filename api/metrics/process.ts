import { monitorEventLoopDelay } from "node:perf_hooks";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";

const WINDOW_MS = 60_000;
const STATS = { median: 50, p99: 99, max: 100 } as const;
const NS = 1e9;

/**
 * Creates the metrics of this process: Node's own, and how long its one thread keeps work waiting.
 */
export function createProcessMetrics() {
  const register = new Registry();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let window: number[] | null = null;
  const read = () =>
    Object.values(STATS).map((percent) =>
      delay.count === 0 ? 0 : delay.percentile(percent) / NS,
    );
  const timer = setInterval(() => {
    window = read();
    delay.reset();
  }, WINDOW_MS).unref();
  collectDefaultMetrics({ register, prefix: "replication_" });
  const lateness = new Gauge({
    name: "replication_event_loop_delay_seconds",
    help: "How late timers of the control plane's one thread were, in the last whole minute",
    labelNames: ["stat"],
    registers: [],
    collect() {
      const values = window ?? read();
      for (const [at, stat] of Object.keys(STATS).entries())
        this.set({ stat }, values[at] ?? 0);
    },
  });
  register.registerMetric(lateness);
  return {
    text: () => register.metrics(),
    stop(): void {
      clearInterval(timer);
      delay.disable();
    },
  };
}
