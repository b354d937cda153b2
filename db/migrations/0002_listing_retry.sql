ALTER TABLE `plan_object` ADD `first_failure` integer;--> statement-breakpoint
ALTER TABLE `plan_object` ADD `tries` integer DEFAULT 0 NOT NULL;