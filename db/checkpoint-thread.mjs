// This thread copies the write-ahead logs of databases into these databases; checkpoints.ts starts
// it. The file is plain JavaScript, because Node 20 loads no TypeScript in a thread.
import { parentPort, workerData } from "node:worker_threads";
import Sqlite from "better-sqlite3";

/** @type {import("./checkpoints.ts").Checkpoints} */
const { files, lookMs, pauseMs, bytes } = workerData;

const databases = files.map((file) => ({ file, db: null, most: Infinity, notBefore: 0 }));

/** Opens a database that is not open yet, which a full disk can prevent. */
function openOne(database) {
  const db = new Sqlite(database.file, { fileMustExist: true });
  db.pragma("synchronous = NORMAL");
  database.most = bytes / Number(db.pragma("page_size", { simple: true }));
  return db;
}

function look() {
  for (const database of databases) {
    if (performance.now() < database.notBefore) continue;
    try {
      const db = (database.db ??= openOne(database));
      const [{ log, checkpointed }] = db.pragma("wal_checkpoint(NOOP)");
      if (log - checkpointed >= database.most) db.pragma("wal_checkpoint(PASSIVE)");
    } catch (error) {
      parentPort.postMessage(`${database.file}: ${error}`);
      database.notBefore = performance.now() + pauseMs;
    }
  }
}

const timer = setInterval(look, lookMs);
parentPort.once("message", () => {
  clearInterval(timer);
  for (const { db } of databases) db?.close();
});
