CREATE TABLE `export_uploads` (
	`key` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`upload_id` text NOT NULL,
	`parts` text DEFAULT '{}' NOT NULL,
	`started_at` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `interactions` ADD `imported` integer DEFAULT false NOT NULL;