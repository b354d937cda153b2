import { cpus, loadavg, platform } from "node:os";
import { pino } from "pino";
import { loadConfig } from "../../config.ts";
import { findBinary } from "../../temporal/binary.ts";
import { bigBlob } from "./big-blob.ts";
import { bigImage } from "./big-image.ts";
import { bulkUpload } from "./bulk-upload.ts";
import { detailPages } from "./detail-pages.ts";
import { fairness } from "./fairness.ts";
import { hostedImages } from "./hosted-images.ts";
import { infoBeside } from "./info-beside.ts";
import { manyFiles } from "./many-files.ts";
import { type Row, table } from "./measure.ts";
import { manyObjects } from "./many-objects.ts";
import { oneFile } from "./one-file.ts";
import { planPages } from "./plan-pages.ts";
import { realTime } from "./real-time.ts";
import { type Bench, createRig } from "./rig.ts";
import { smallFiles } from "./small-files.ts";
import { smallImages } from "./small-images.ts";

/** `npm run bench [-- <row> …] [-- --times=5]`: measures our budgets, side by side with other tools. */

const ROWS: Record<string, (bench: Bench) => Promise<Row[]>> = {
  "one-file": oneFile,
  "small-images": smallImages,
  "small-files": smallFiles,
  "real-time": realTime,
  "bulk-upload": bulkUpload,
  "big-image": bigImage,
  "big-blob": bigBlob,
  "many-files": manyFiles,
  "many-objects": manyObjects,
  "hosted-images": hostedImages,
  "detail-pages": detailPages,
  fairness,
  "plan-pages": planPages,
  "info-beside": infoBeside,
};

const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const times = Number(
  process.argv
    .find((argument) => argument.startsWith("--times="))
    ?.slice("--times=".length) ?? 3,
);
const unknown = wanted.filter((name) => !Object.hasOwn(ROWS, name));
if (unknown.length > 0 || !Number.isInteger(times) || times < 1) {
  console.error(
    `Usage: npm run bench [-- ${Object.keys(ROWS).join(" | ")} …] [--times=3]`,
  );
  process.exit(2);
}

const { cacheDir, temporalCliPath, httpsProxy, httpProxy, noProxy } = loadConfig(
  process.env,
);
const log = pino(
  { level: "info" },
  { write: (line: string) => console.log((JSON.parse(line) as { msg: string }).msg) },
);
await findBinary({
  cliPath: temporalCliPath,
  cacheDir,
  proxy: { httpsProxy, httpProxy, noProxy },
  log,
});

console.log(
  `${cpus().length} × ${cpus()[0]?.model}, ${platform()}, Node ${process.version}, ` +
    `load ${loadavg()[0]?.toFixed(1)}; medians of ${times}, in turns`,
);
const bench = await createRig(times, (line) => console.log(`  ${line}`));
process.once("SIGINT", () => void bench.end().then(() => process.exit(130)));
const rows: Row[] = [];
try {
  for (const name of wanted.length > 0 ? wanted : Object.keys(ROWS)) {
    console.log(name);
    rows.push(...((await ROWS[name]?.(bench)) ?? []));
  }
} finally {
  await bench.end();
}
console.log(`\n${table(rows)}`);
process.exit(0);
