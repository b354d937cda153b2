CREATE TABLE `artifact_total` (
	`task_key` text NOT NULL,
	`cluster_id` text NOT NULL,
	`success` integer DEFAULT 0 NOT NULL,
	`failed` integer DEFAULT 0 NOT NULL,
	`skip` integer DEFAULT 0 NOT NULL,
	`conflict` integer DEFAULT 0 NOT NULL,
	`bytes_sent` integer DEFAULT 0 NOT NULL,
	`conflicts_left` integer DEFAULT 0 NOT NULL,
	`conflicts_time` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`task_key`, `cluster_id`)
);
--> statement-breakpoint
CREATE TABLE `run_total` (
	`task_key` text NOT NULL,
	`cause` text NOT NULL,
	`result` text NOT NULL,
	`runs` integer DEFAULT 0 NOT NULL,
	`seconds` real DEFAULT 0 NOT NULL,
	`last_end` integer NOT NULL,
	`le_1` integer DEFAULT 0 NOT NULL,
	`le_10` integer DEFAULT 0 NOT NULL,
	`le_60` integer DEFAULT 0 NOT NULL,
	`le_600` integer DEFAULT 0 NOT NULL,
	`le_3600` integer DEFAULT 0 NOT NULL,
	`le_21600` integer DEFAULT 0 NOT NULL,
	`le_86400` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`task_key`, `cause`, `result`)
);
--> statement-breakpoint
-- What has ended until now.
INSERT INTO run_total (task_key, cause, result, runs, seconds, last_end, le_1, le_10, le_60, le_600, le_3600, le_21600, le_86400)
SELECT task_key, cause, status, count(*), sum(s), max(end_time), sum(s <= 1), sum(s <= 10), sum(s <= 60), sum(s <= 600), sum(s <= 3600), sum(s <= 21600), sum(s <= 86400)
FROM (
  SELECT task_key, status, end_time, max(0, end_time - start_time) / 1000.0 AS s,
    CASE WHEN cluster_id <> '' THEN 'REAL_TIME' WHEN substr(workflow_id, -25) = '/' || id THEN 'MANUAL' ELSE 'SCHEDULED' END AS cause
  FROM record WHERE status <> 'RUNNING' AND end_time IS NOT NULL AND task_key IN (SELECT key FROM task)
) GROUP BY task_key, cause, status;
--> statement-breakpoint
INSERT INTO artifact_total (task_key, cluster_id, success, failed, skip, conflict, bytes_sent)
SELECT r.task_key, t.cluster_id, sum(t.success), sum(t.failed), sum(t.skip), sum(t.conflict), sum(t.bytes_sent)
FROM record r JOIN tally t ON t.record_id = r.id
WHERE r.status <> 'RUNNING' AND r.task_key IN (SELECT key FROM task) GROUP BY r.task_key, t.cluster_id;
--> statement-breakpoint
-- A run ends: it is counted with its artifacts, in the transaction that closes its record.
CREATE TRIGGER `record_ended` AFTER UPDATE OF status ON `record`
WHEN OLD.status = 'RUNNING' AND NEW.status <> 'RUNNING' AND EXISTS (SELECT 1 FROM task WHERE key = NEW.task_key) BEGIN
  INSERT INTO run_total (task_key, cause, result, runs, seconds, last_end, le_1, le_10, le_60, le_600, le_3600, le_21600, le_86400)
  SELECT NEW.task_key, CASE WHEN NEW.cluster_id <> '' THEN 'REAL_TIME' WHEN substr(NEW.workflow_id, -25) = '/' || NEW.id THEN 'MANUAL' ELSE 'SCHEDULED' END, NEW.status, 1, s, NEW.end_time, s <= 1, s <= 10, s <= 60, s <= 600, s <= 3600, s <= 21600, s <= 86400
  FROM (SELECT max(0, NEW.end_time - NEW.start_time) / 1000.0 AS s) WHERE true
  ON CONFLICT (task_key, cause, result) DO UPDATE SET runs = runs + 1, seconds = seconds + excluded.seconds, last_end = max(last_end, excluded.last_end), le_1 = le_1 + excluded.le_1, le_10 = le_10 + excluded.le_10, le_60 = le_60 + excluded.le_60, le_600 = le_600 + excluded.le_600, le_3600 = le_3600 + excluded.le_3600, le_21600 = le_21600 + excluded.le_21600, le_86400 = le_86400 + excluded.le_86400;
  -- A drain tells nothing of what earlier drains left alone.
  UPDATE artifact_total SET conflicts_left = 0 WHERE task_key = NEW.task_key AND NEW.cluster_id = '';
  INSERT INTO artifact_total (task_key, cluster_id, success, failed, skip, conflict, bytes_sent, conflicts_left, conflicts_time)
  SELECT NEW.task_key, cluster_id, success, failed, skip, conflict, bytes_sent, CASE WHEN NEW.snapshot ->> '$.setting.conflictStrategy' = 'SKIP' THEN conflict ELSE 0 END, NEW.end_time
  FROM tally WHERE record_id = NEW.id
  ON CONFLICT (task_key, cluster_id) DO UPDATE SET success = success + excluded.success, failed = failed + excluded.failed, skip = skip + excluded.skip, conflict = conflict + excluded.conflict, bytes_sent = bytes_sent + excluded.bytes_sent,
    conflicts_left = excluded.conflicts_left + CASE WHEN NEW.cluster_id <> '' AND conflicts_time > NEW.end_time - 86400000 THEN conflicts_left ELSE 0 END,
    conflicts_time = CASE WHEN excluded.conflicts_left > 0 THEN NEW.end_time ELSE conflicts_time END;
END;
--> statement-breakpoint
-- A record that is closed from the first is one of a time that was missed.
CREATE TRIGGER `record_missed` AFTER INSERT ON `record`
WHEN NEW.status = 'FAILED' AND NEW.error_reason LIKE 'missed:%' BEGIN
  INSERT INTO run_total (task_key, cause, result, runs, last_end) VALUES (NEW.task_key, 'SCHEDULED', 'MISSED', 1, NEW.end_time)
  ON CONFLICT (task_key, cause, result) DO UPDATE SET runs = runs + 1, last_end = max(last_end, excluded.last_end);
END;
