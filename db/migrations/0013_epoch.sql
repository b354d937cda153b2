ALTER TABLE `detail` RENAME COLUMN `lease` TO `epoch`;--> statement-breakpoint
ALTER TABLE `dispatch` RENAME COLUMN `lease` TO `epoch`;