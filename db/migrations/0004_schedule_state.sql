ALTER TABLE `task` ADD `settled_time` integer;--> statement-breakpoint
ALTER TABLE `task` ADD `schedule_created` integer;--> statement-breakpoint
ALTER TABLE `task` ADD `schedule_skips` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `task_next` ON `task` (`next_execution_time`);