ALTER TABLE `retrievals` ADD `held_out` text;--> statement-breakpoint
ALTER TABLE `retrievals` ADD `hold_out_share` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `retrievals` ADD `hold_out_items` integer DEFAULT 0 NOT NULL;