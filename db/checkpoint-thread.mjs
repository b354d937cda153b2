// This thread copies the write-ahead logs of databases into these databases; checkpoints.ts starts
// it. The file is plain JavaScript, because Node 20 loads no TypeScript in a thread.
import { parentPort, workerData } from "node:worker_threads";
import Sqlite from "better-sqlite3";

/** @type {import("./checkpoints.ts").Checkpoints} */
const { files, lookMs, pauseMs, bytes } = workerData;

const databases = files.map((file) => {
  const db = new Sqlite(file, { fileMustExist: true });
  db.pragma("synchronous = NORMAL");
  return {
    db,
    most: bytes / Number(db.pragma("page_size", { simple: true })),
    notBefore: 0,
  };
});

function look() {
  for (const database of databases) {
    const { db, most, notBefore } = database;
    if (Date.now() < notBefore) continue;
    try {
      const [{ log, checkpointed }] = db.pragma("wal_checkpoint(NOOP)");
      if (log - checkpointed >= most) db.pragma("wal_checkpoint(PASSIVE)");
    } catch (error) {
      parentPort.postMessage(`${db.name}: ${error}`);
      database.notBefore = Date.now() + pauseMs;
    }
  }
}

const timer = setInterval(look, lookMs);
parentPort.once("message", () => {
  clearInterval(timer);
  for (const { db } of databases) db.close();
});
