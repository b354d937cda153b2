CREATE TABLE `damage` (
	`sha256` text PRIMARY KEY NOT NULL,
	`size` integer NOT NULL,
	`cause` text NOT NULL,
	`found_date` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `scrub` (
	`id` integer PRIMARY KEY NOT NULL,
	`position` text NOT NULL,
	`round_date` integer NOT NULL,
	`done_date` integer
);
