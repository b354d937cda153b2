ALTER TABLE `repository` ADD `protocol` text;--> statement-breakpoint
ALTER TABLE `artifact_total` ADD `bytes_read` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `cluster` ADD `protocol` text;--> statement-breakpoint
ALTER TABLE `detail` ADD `bytes_read` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `detail` ADD `compared` text;--> statement-breakpoint
ALTER TABLE `detail` ADD `verified` text;--> statement-breakpoint
ALTER TABLE `detail` ADD `note` text;--> statement-breakpoint
ALTER TABLE `tally` ADD `bytes_read` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tally` ADD `compare_granted` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
-- The triggers of 0001 and 0010, with the bytes that were read at targets.
DROP TRIGGER `detail_inserted`;
--> statement-breakpoint
DROP TRIGGER `detail_updated`;
--> statement-breakpoint
DROP TRIGGER `record_ended`;
--> statement-breakpoint
CREATE TRIGGER `detail_inserted` AFTER INSERT ON `detail` BEGIN
  INSERT INTO tally (record_id, cluster_id, success, failed, running, skip, conflict, file_success, file_failed, bytes_done, bytes_found, bytes_sent, bytes_read) VALUES (NEW.record_id, NEW.cluster_id, (NEW.status = 'SUCCESS'), (NEW.status = 'FAILED'), (NEW.status = 'RUNNING'), (NEW.skip), (NEW.conflict), (NEW.node_success), (NEW.node_failed), (CASE NEW.status WHEN 'SUCCESS' THEN COALESCE(NEW.size, 0) WHEN 'RUNNING' THEN NEW.bytes_sent ELSE 0 END), (CASE WHEN NEW.size_planned = 0 THEN COALESCE(NEW.size, 0) ELSE 0 END), (NEW.bytes_sent), (NEW.bytes_read))
  ON CONFLICT (record_id, cluster_id) DO UPDATE SET success = success + excluded.success, failed = failed + excluded.failed, running = running + excluded.running, skip = skip + excluded.skip, conflict = conflict + excluded.conflict, file_success = file_success + excluded.file_success, file_failed = file_failed + excluded.file_failed, bytes_done = bytes_done + excluded.bytes_done, bytes_found = bytes_found + excluded.bytes_found, bytes_sent = bytes_sent + excluded.bytes_sent, bytes_read = bytes_read + excluded.bytes_read;
END;
--> statement-breakpoint
CREATE TRIGGER `detail_updated` AFTER UPDATE ON `detail` BEGIN
  UPDATE tally SET success = success + (NEW.status = 'SUCCESS') - (OLD.status = 'SUCCESS'), failed = failed + (NEW.status = 'FAILED') - (OLD.status = 'FAILED'), running = running + (NEW.status = 'RUNNING') - (OLD.status = 'RUNNING'), skip = skip + (NEW.skip) - (OLD.skip), conflict = conflict + (NEW.conflict) - (OLD.conflict), file_success = file_success + (NEW.node_success) - (OLD.node_success), file_failed = file_failed + (NEW.node_failed) - (OLD.node_failed), bytes_done = bytes_done + (CASE NEW.status WHEN 'SUCCESS' THEN COALESCE(NEW.size, 0) WHEN 'RUNNING' THEN NEW.bytes_sent ELSE 0 END) - (CASE OLD.status WHEN 'SUCCESS' THEN COALESCE(OLD.size, 0) WHEN 'RUNNING' THEN OLD.bytes_sent ELSE 0 END), bytes_found = bytes_found + (CASE WHEN NEW.size_planned = 0 THEN COALESCE(NEW.size, 0) ELSE 0 END) - (CASE WHEN OLD.size_planned = 0 THEN COALESCE(OLD.size, 0) ELSE 0 END), bytes_sent = bytes_sent + (NEW.bytes_sent) - (OLD.bytes_sent), bytes_read = bytes_read + (NEW.bytes_read) - (OLD.bytes_read)
  WHERE record_id = NEW.record_id AND cluster_id = NEW.cluster_id;
END;
--> statement-breakpoint
CREATE TRIGGER `record_ended` AFTER UPDATE OF status ON `record`
WHEN OLD.status = 'RUNNING' AND NEW.status <> 'RUNNING' AND EXISTS (SELECT 1 FROM task WHERE key = NEW.task_key) BEGIN
  INSERT INTO run_total (task_key, cause, result, runs, seconds, last_end, le_1, le_10, le_60, le_600, le_3600, le_21600, le_86400)
  SELECT NEW.task_key, CASE WHEN NEW.cluster_id <> '' THEN 'REAL_TIME' WHEN substr(NEW.workflow_id, -25) = '/' || NEW.id THEN 'MANUAL' ELSE 'SCHEDULED' END, NEW.status, 1, s, NEW.end_time, s <= 1, s <= 10, s <= 60, s <= 600, s <= 3600, s <= 21600, s <= 86400
  FROM (SELECT max(0, NEW.end_time - NEW.start_time) / 1000.0 AS s) WHERE true
  ON CONFLICT (task_key, cause, result) DO UPDATE SET runs = runs + 1, seconds = seconds + excluded.seconds, last_end = max(last_end, excluded.last_end), le_1 = le_1 + excluded.le_1, le_10 = le_10 + excluded.le_10, le_60 = le_60 + excluded.le_60, le_600 = le_600 + excluded.le_600, le_3600 = le_3600 + excluded.le_3600, le_21600 = le_21600 + excluded.le_21600, le_86400 = le_86400 + excluded.le_86400;
  -- A drain tells nothing of what earlier drains left alone.
  UPDATE artifact_total SET conflicts_left = 0 WHERE task_key = NEW.task_key AND NEW.cluster_id = '';
  INSERT INTO artifact_total (task_key, cluster_id, success, failed, skip, conflict, bytes_sent, bytes_read, conflicts_left, conflicts_time)
  SELECT NEW.task_key, cluster_id, success, failed, skip, conflict, bytes_sent, bytes_read, CASE WHEN NEW.snapshot ->> '$.setting.conflictStrategy' = 'SKIP' THEN conflict ELSE 0 END, NEW.end_time
  FROM tally WHERE record_id = NEW.id
  ON CONFLICT (task_key, cluster_id) DO UPDATE SET success = success + excluded.success, failed = failed + excluded.failed, skip = skip + excluded.skip, conflict = conflict + excluded.conflict, bytes_sent = bytes_sent + excluded.bytes_sent, bytes_read = bytes_read + excluded.bytes_read,
    conflicts_left = excluded.conflicts_left + CASE WHEN NEW.cluster_id <> '' AND conflicts_time > NEW.end_time - 86400000 THEN conflicts_left ELSE 0 END,
    conflicts_time = CASE WHEN excluded.conflicts_left > 0 THEN NEW.end_time ELSE conflicts_time END;
END;
