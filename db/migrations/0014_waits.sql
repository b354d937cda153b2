ALTER TABLE `detail` ADD `unsent` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `detail_waiting` ON `detail` (`record_id`,`cluster_id`,`not_before`) WHERE status = 'RUNNING' AND first_failure IS NOT NULL;--> statement-breakpoint
ALTER TABLE `plan_object` ADD `failure` text;--> statement-breakpoint
ALTER TABLE `plan_object` ADD `retry_at` integer;--> statement-breakpoint
CREATE INDEX `plan_object_waiting` ON `plan_object` (`record_id`) WHERE complete = 0 AND first_failure IS NOT NULL;