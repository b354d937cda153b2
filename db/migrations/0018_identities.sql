CREATE TABLE `worker` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`secret` text NOT NULL,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_seen` integer,
	`version` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `worker_name_unique` ON `worker` (`name`);--> statement-breakpoint
ALTER TABLE `repository` ADD `accepted_realms` text;--> statement-breakpoint
ALTER TABLE `cluster` ADD `accepted_realms` text;