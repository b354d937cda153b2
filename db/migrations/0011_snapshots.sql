ALTER TABLE `record` ADD `clusters` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `record` SET `clusters` = json_array_length(`snapshot`, '$.clusters');
