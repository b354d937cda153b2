CREATE TABLE `blob` (
	`sha256` text PRIMARY KEY NOT NULL,
	`md5` text NOT NULL,
	`size` integer NOT NULL,
	`inline` integer NOT NULL,
	`touched_date` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `event` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` text NOT NULL,
	`repo_name` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`version` text,
	`digest` text NOT NULL,
	`created_date` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `event_repository` ON `event` (`project_id`,`repo_name`,`seq`);--> statement-breakpoint
CREATE TABLE `event_cursor` (
	`task_key` text NOT NULL,
	`cluster_id` text NOT NULL,
	`position` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`task_key`, `cluster_id`)
);
--> statement-breakpoint
CREATE TABLE `instance` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `node` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`repository_id` integer NOT NULL,
	`full_path` text NOT NULL,
	`parent` text NOT NULL,
	`name` text NOT NULL,
	`folder` integer NOT NULL,
	`size` integer NOT NULL,
	`sha256` text,
	`md5` text,
	`metadata` text NOT NULL,
	`expire_date` integer,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL,
	FOREIGN KEY (`repository_id`) REFERENCES `repository`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `node_path` ON `node` (`repository_id`,`full_path`);--> statement-breakpoint
CREATE INDEX `node_parent` ON `node` (`repository_id`,`parent`,`name`);--> statement-breakpoint
CREATE INDEX `node_sha256` ON `node` (`sha256`);--> statement-breakpoint
CREATE TABLE `project` (
	`name` text PRIMARY KEY NOT NULL,
	`display_name` text NOT NULL,
	`description` text,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `repository` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`project_id` text NOT NULL,
	`name` text NOT NULL,
	`type` text NOT NULL,
	`category` text NOT NULL,
	`public` integer NOT NULL,
	`description` text,
	`display_name` text,
	`url` text,
	`username` text,
	`secret` text,
	`certificate` text,
	`insecure_skip_verify` integer DEFAULT false NOT NULL,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL,
	FOREIGN KEY (`project_id`) REFERENCES `project`(`name`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `repository_name` ON `repository` (`project_id`,`name`);--> statement-breakpoint
CREATE TABLE `cluster` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`type` text NOT NULL,
	`url` text NOT NULL,
	`username` text,
	`secret` text,
	`certificate` text,
	`insecure_skip_verify` integer DEFAULT false NOT NULL,
	`app_id` text,
	`access_key` text,
	`udp_port` integer,
	`detect_type` text NOT NULL,
	`status` text NOT NULL,
	`error_reason` text,
	`last_report_time` integer,
	`owner_task_key` text,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `cluster_name_unique` ON `cluster` (`name`);--> statement-breakpoint
CREATE TABLE `detail` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`record_id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`object` integer NOT NULL,
	`seq` integer NOT NULL,
	`artifact_name` text NOT NULL,
	`version` text DEFAULT '' NOT NULL,
	`status` text NOT NULL,
	`dispatch` integer NOT NULL,
	`lease` integer NOT NULL,
	`size` integer,
	`size_planned` integer NOT NULL,
	`digest` text,
	`conflict` integer DEFAULT false NOT NULL,
	`skip` integer DEFAULT false NOT NULL,
	`conflict_strategy` text,
	`blob_success` integer DEFAULT 0 NOT NULL,
	`blob_skip` integer DEFAULT 0 NOT NULL,
	`blob_failed` integer DEFAULT 0 NOT NULL,
	`node_success` integer DEFAULT 0 NOT NULL,
	`node_skip` integer DEFAULT 0 NOT NULL,
	`node_failed` integer DEFAULT 0 NOT NULL,
	`bytes_sent` integer DEFAULT 0 NOT NULL,
	`start_time` integer NOT NULL,
	`end_time` integer,
	`error_reason` text,
	`again` integer DEFAULT false NOT NULL,
	`not_before` integer,
	`first_failure` integer,
	`uploads` text,
	`tries` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `detail_artifact` ON `detail` (`record_id`,`cluster_id`,`object`,`seq`);--> statement-breakpoint
CREATE INDEX `detail_status` ON `detail` (`record_id`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `detail_record` ON `detail` (`record_id`,`id`);--> statement-breakpoint
CREATE INDEX `detail_again` ON `detail` (`record_id`,`cluster_id`,`object`,`not_before`) WHERE again = 1;--> statement-breakpoint
CREATE INDEX `detail_dispatch` ON `detail` (`record_id`,`dispatch`);--> statement-breakpoint
CREATE TABLE `dispatch` (
	`record_id` text NOT NULL,
	`number` integer NOT NULL,
	`object` integer NOT NULL,
	`cluster_id` text NOT NULL,
	`cut` integer NOT NULL,
	`from_seq` integer,
	`to_seq` integer,
	`lease` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`record_id`, `number`)
);
--> statement-breakpoint
CREATE INDEX `dispatch_cut` ON `dispatch` (`record_id`,`object`,`cluster_id`,`cut`);--> statement-breakpoint
CREATE TABLE `halt` (
	`record_id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`reason` text NOT NULL,
	PRIMARY KEY(`record_id`, `cluster_id`)
);
--> statement-breakpoint
CREATE TABLE `plan` (
	`record_id` text NOT NULL,
	`object` integer NOT NULL,
	`seq` integer NOT NULL,
	`name` text NOT NULL,
	`version` text DEFAULT '' NOT NULL,
	`size` integer,
	`digest` text,
	`problem` text,
	PRIMARY KEY(`record_id`, `object`, `seq`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `plan_artifact` ON `plan` (`record_id`,`object`,`name`,`version`);--> statement-breakpoint
CREATE TABLE `plan_object` (
	`record_id` text NOT NULL,
	`object` integer NOT NULL,
	`planned` integer DEFAULT 0 NOT NULL,
	`bytes` integer DEFAULT 0 NOT NULL,
	`pages` integer DEFAULT 0 NOT NULL,
	`cursor` text,
	`complete` integer DEFAULT false NOT NULL,
	`problem` text,
	PRIMARY KEY(`record_id`, `object`)
);
--> statement-breakpoint
CREATE TABLE `record` (
	`id` text PRIMARY KEY NOT NULL,
	`task_key` text NOT NULL,
	`cluster_id` text DEFAULT '' NOT NULL,
	`workflow_id` text NOT NULL,
	`status` text NOT NULL,
	`start_time` integer NOT NULL,
	`end_time` integer,
	`error_reason` text,
	`snapshot` text NOT NULL,
	`stop_reason` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `record_running` ON `record` (`task_key`,`cluster_id`) WHERE status = 'RUNNING';--> statement-breakpoint
CREATE INDEX `record_task` ON `record` (`task_key`,`start_time`,`id`);--> statement-breakpoint
CREATE INDEX `record_end` ON `record` (`status`,`end_time`);--> statement-breakpoint
CREATE TABLE `tally` (
	`record_id` text NOT NULL,
	`cluster_id` text NOT NULL,
	`success` integer DEFAULT 0 NOT NULL,
	`failed` integer DEFAULT 0 NOT NULL,
	`running` integer DEFAULT 0 NOT NULL,
	`skip` integer DEFAULT 0 NOT NULL,
	`conflict` integer DEFAULT 0 NOT NULL,
	`file_success` integer DEFAULT 0 NOT NULL,
	`file_failed` integer DEFAULT 0 NOT NULL,
	`bytes_done` integer DEFAULT 0 NOT NULL,
	`bytes_found` integer DEFAULT 0 NOT NULL,
	`bytes_sent` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`record_id`, `cluster_id`)
);
--> statement-breakpoint
CREATE TABLE `task` (
	`key` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`project_id` text NOT NULL,
	`replica_object_type` text NOT NULL,
	`replica_type` text NOT NULL,
	`setting` text NOT NULL,
	`description` text,
	`enabled` integer NOT NULL,
	`record` integer NOT NULL,
	`record_reserve_days` integer NOT NULL,
	`last_execution_status` text,
	`last_execution_time` integer,
	`next_execution_time` integer,
	`execution_times` integer DEFAULT 0 NOT NULL,
	`skipped_times` integer DEFAULT 0 NOT NULL,
	`last_skipped_time` integer,
	`created_by` text NOT NULL,
	`created_date` integer NOT NULL,
	`last_modified_by` text NOT NULL,
	`last_modified_date` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `task_id_unique` ON `task` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `task_name_unique` ON `task` (`name`);--> statement-breakpoint
CREATE INDEX `task_project` ON `task` (`project_id`,`created_date`);--> statement-breakpoint
CREATE TABLE `task_cluster` (
	`task_key` text NOT NULL,
	`position` integer NOT NULL,
	`cluster_id` text NOT NULL,
	PRIMARY KEY(`task_key`, `position`)
);
--> statement-breakpoint
CREATE INDEX `task_cluster_cluster` ON `task_cluster` (`cluster_id`);--> statement-breakpoint
CREATE TABLE `task_object` (
	`task_key` text NOT NULL,
	`position` integer NOT NULL,
	`local_repo_name` text NOT NULL,
	`repo_type` text NOT NULL,
	`remote_project_id` text,
	`remote_repo_name` text,
	`package_constraints` text,
	`path_constraints` text,
	PRIMARY KEY(`task_key`, `position`)
);
--> statement-breakpoint
CREATE INDEX `task_object_repository` ON `task_object` (`local_repo_name`);