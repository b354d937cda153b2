CREATE TABLE `usage` (
	`repository_id` integer PRIMARY KEY NOT NULL,
	`bytes` integer NOT NULL,
	FOREIGN KEY (`repository_id`) REFERENCES `repository`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
ALTER TABLE `project` ADD `quota` integer;--> statement-breakpoint
ALTER TABLE `repository` ADD `quota` integer;--> statement-breakpoint
-- What the files of each repository have until now.
INSERT INTO `usage` (`repository_id`, `bytes`)
SELECT `repository_id`, sum(`size`) FROM `node` WHERE `folder` = 0 GROUP BY `repository_id`;
--> statement-breakpoint
CREATE TRIGGER `node_inserted` AFTER INSERT ON `node` WHEN NEW.size > 0 BEGIN
  INSERT INTO `usage` (repository_id, bytes) VALUES (NEW.repository_id, NEW.size)
  ON CONFLICT (repository_id) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
--> statement-breakpoint
CREATE TRIGGER `node_resized` AFTER UPDATE OF size ON `node` WHEN NEW.size <> OLD.size BEGIN
  INSERT INTO `usage` (repository_id, bytes) VALUES (NEW.repository_id, NEW.size - OLD.size)
  ON CONFLICT (repository_id) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
--> statement-breakpoint
CREATE TRIGGER `node_deleted` AFTER DELETE ON `node` WHEN OLD.size > 0 BEGIN
  UPDATE `usage` SET bytes = bytes - OLD.size WHERE repository_id = OLD.repository_id;
END;
