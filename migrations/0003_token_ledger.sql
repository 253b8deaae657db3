ALTER TABLE `interactions` ADD `retrieval_id` text;--> statement-breakpoint
CREATE INDEX `interactions_retrieval` ON `interactions` (`retrieval_id`);--> statement-breakpoint
ALTER TABLE `retrievals` ADD `tokens_spared` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `retrievals` ADD `tokens_top_whole` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `retrievals` ADD `control` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `retrievals` ADD `control_share` real DEFAULT 0 NOT NULL;