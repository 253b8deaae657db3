ALTER TABLE `context_credit` ADD `counted_successes` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `context_credit` ADD `counted_partials` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `context_credit` ADD `counted_failures` real DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `context_votes` ADD `unseen_successes` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `context_votes` ADD `unseen_partials` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `context_votes` ADD `unseen_failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `context_votes_caller` ON `context_votes` (`project`,`caller`);--> statement-breakpoint
ALTER TABLE `interaction_contexts` ADD `given` integer DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE `interactions` ADD `verified` integer DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE `outcome_votes` ADD `independent` integer DEFAULT false NOT NULL;--> statement-breakpoint
UPDATE context_credit SET counted_successes = successes, counted_partials = partials, counted_failures = failures;
--> statement-breakpoint
UPDATE outcome_votes SET independent = caller IN ('admin', 'open')
  OR caller <> coalesce((SELECT i.caller FROM interactions i WHERE i.id = outcome_votes.interaction_id), caller);
--> statement-breakpoint
UPDATE interactions SET verified = 1 WHERE outcome = 'success'
  AND EXISTS (SELECT 1 FROM outcome_votes v WHERE v.interaction_id = interactions.id AND v.independent AND v.outcome = 'success');
