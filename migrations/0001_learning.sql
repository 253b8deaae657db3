ALTER TABLE `exports` ADD `skipped` text DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `exports_key` ON `exports` (`key`);--> statement-breakpoint
ALTER TABLE `outcome_events` ADD `idempotency_key` text;--> statement-breakpoint
CREATE UNIQUE INDEX `outcome_events_idempotency` ON `outcome_events` (`interaction_id`,`idempotency_key`);