CREATE TABLE `cluster_check` (
	`cluster_id` text PRIMARY KEY NOT NULL,
	`begun` integer,
	`last` integer NOT NULL,
	`deaths` integer DEFAULT 0 NOT NULL
);
