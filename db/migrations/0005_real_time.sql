CREATE TABLE `pending` (
	`task_key` text NOT NULL,
	`cluster_id` text NOT NULL,
	`repo_name` text NOT NULL,
	`path` text NOT NULL,
	`since` integer NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`not_before` integer NOT NULL,
	`record_id` text,
	PRIMARY KEY(`task_key`, `cluster_id`, `repo_name`, `path`)
);
--> statement-breakpoint
CREATE INDEX `pending_due` ON `pending` (`task_key`,`cluster_id`,`not_before`);--> statement-breakpoint
CREATE INDEX `pending_record` ON `pending` (`record_id`) WHERE record_id IS NOT NULL;--> statement-breakpoint
ALTER TABLE `event_cursor` ADD `planned` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `event_cursor` ADD `failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `event_cursor` ADD `not_before` integer;--> statement-breakpoint
ALTER TABLE `event_cursor` ADD `answered_time` integer;--> statement-breakpoint
ALTER TABLE `event_cursor` ADD `catch_up` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `event_cursor` ADD `catch_up_record` text;--> statement-breakpoint
ALTER TABLE `halt` ADD `away` integer DEFAULT false NOT NULL;