DROP INDEX `dispatch_cut`;--> statement-breakpoint
ALTER TABLE `dispatch` ADD `half_of` integer;--> statement-breakpoint
CREATE INDEX `dispatch_range` ON `dispatch` (`record_id`,`cluster_id`,`object`,`to_seq`);--> statement-breakpoint
CREATE INDEX `dispatch_cut` ON `dispatch` (`record_id`,`cluster_id`,`cut`);--> statement-breakpoint
ALTER TABLE `detail` ADD `whole` integer DEFAULT false NOT NULL;