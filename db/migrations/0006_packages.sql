CREATE TABLE `dist_tag` (
	`package_id` integer NOT NULL,
	`tag` text NOT NULL,
	`version` text NOT NULL,
	PRIMARY KEY(`package_id`, `tag`),
	FOREIGN KEY (`package_id`) REFERENCES `package`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `image_manifest` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`repository_id` integer NOT NULL,
	`image` text NOT NULL,
	`digest` text NOT NULL,
	`node_id` integer NOT NULL,
	`media_type` text NOT NULL,
	`artifact_type` text,
	`subject` text,
	`annotations` text,
	`size` integer NOT NULL,
	`created_date` integer NOT NULL,
	FOREIGN KEY (`repository_id`) REFERENCES `repository`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`node_id`) REFERENCES `node`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `image_manifest_digest` ON `image_manifest` (`repository_id`,`image`,`digest`);--> statement-breakpoint
CREATE INDEX `image_manifest_node` ON `image_manifest` (`node_id`);--> statement-breakpoint
CREATE INDEX `image_manifest_subject` ON `image_manifest` (`repository_id`,`image`,`subject`) WHERE subject IS NOT NULL;--> statement-breakpoint
CREATE TABLE `image_reference` (
	`manifest_id` integer NOT NULL,
	`digest` text NOT NULL,
	`manifest` integer NOT NULL,
	`size` integer NOT NULL,
	PRIMARY KEY(`manifest_id`, `digest`),
	FOREIGN KEY (`manifest_id`) REFERENCES `image_manifest`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `image_reference_digest` ON `image_reference` (`digest`);--> statement-breakpoint
CREATE TABLE `package` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`repository_id` integer NOT NULL,
	`name` text NOT NULL,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL,
	FOREIGN KEY (`repository_id`) REFERENCES `repository`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `package_name` ON `package` (`repository_id`,`name`);--> statement-breakpoint
CREATE TABLE `version` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`package_id` integer NOT NULL,
	`name` text NOT NULL,
	`digest` text NOT NULL,
	`size` integer NOT NULL,
	`complete` integer DEFAULT true NOT NULL,
	`document` text,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL,
	FOREIGN KEY (`package_id`) REFERENCES `package`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `version_name` ON `version` (`package_id`,`name`);--> statement-breakpoint
CREATE INDEX `version_digest` ON `version` (`digest`);--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_pending` (
	`task_key` text NOT NULL,
	`cluster_id` text NOT NULL,
	`repo_name` text NOT NULL,
	`path` text NOT NULL,
	`version` text DEFAULT '' NOT NULL,
	`since` integer NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`not_before` integer NOT NULL,
	`record_id` text,
	PRIMARY KEY(`task_key`, `cluster_id`, `repo_name`, `path`, `version`)
);
--> statement-breakpoint
INSERT INTO `__new_pending`("task_key", "cluster_id", "repo_name", "path", "version", "since", "tries", "not_before", "record_id") SELECT "task_key", "cluster_id", "repo_name", "path", '', "since", "tries", "not_before", "record_id" FROM `pending`;--> statement-breakpoint
DROP TABLE `pending`;--> statement-breakpoint
ALTER TABLE `__new_pending` RENAME TO `pending`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX `pending_due` ON `pending` (`task_key`,`cluster_id`,`not_before`);--> statement-breakpoint
CREATE INDEX `pending_record` ON `pending` (`record_id`) WHERE record_id IS NOT NULL;