import { spawn } from "node:child_process";
import { join } from "node:path";
import { findTool, type Tool } from "./tools.ts";

/** Prometheus' own parsers and query engine, without a server. */
const JUDGE: Tool = {
  name: "promql-judge",
  version: "v0.315.0",
  go: { folder: join(import.meta.dirname, "promql") },
  cost: "20 MB, up to 3 minutes",
};

type Scrape = { at: number; text: string };
type Rule = {
  alert: string;
  expr: string;
  for: string;
  labels: Record<string, string>;
  annotations: Record<string, string> | null;
};
type Question = { rules?: string; scrapes?: Scrape[]; expressions?: string[] };
type Answer = {
  problems: string[];
  rules: Rule[];
  results: Record<string, { labels: Record<string, string>; value: number }[]>;
};

/** Returns a function that runs Prometheus' engine; null if the engine is not available on this machine. */
export async function findJudge(): Promise<
  ((question: Question) => Promise<Answer>) | null
> {
  const command = await findTool(JUDGE);
  if (command === null) return null;
  return (question) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, [], { stdio: ["pipe", "pipe", "inherit"] });
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
      child.once("error", reject);
      child.once("close", (code) =>
        code === 0
          ? resolve(JSON.parse(said) as Answer)
          : reject(new Error(`promql-judge ended with ${code}`)),
      );
      child.stdin.end(
        JSON.stringify({ rules: "", scrapes: [], expressions: [], ...question }),
      );
    });
}
