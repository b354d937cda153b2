ALTER TABLE `dispatch` ADD `lane` text;--> statement-breakpoint
ALTER TABLE `dispatch` ADD `source` text;--> statement-breakpoint
ALTER TABLE `dispatch` ADD `taken_time` integer;--> statement-breakpoint
ALTER TABLE `dispatch` ADD `done` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `dispatch` ADD `rest` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `dispatch_open` ON `dispatch` (`cluster_id`) WHERE done = 0 AND lane IS NOT NULL;--> statement-breakpoint
CREATE INDEX `dispatch_rest` ON `dispatch` (`record_id`,`cluster_id`,`object`) WHERE rest = 1;--> statement-breakpoint
ALTER TABLE `record` ADD `problem` text;