CREATE TABLE `context_votes` (
	`project` text NOT NULL,
	`collection` text NOT NULL,
	`item_id` text NOT NULL,
	`caller` text NOT NULL,
	`successes` integer DEFAULT 0 NOT NULL,
	`partials` integer DEFAULT 0 NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`project`, `collection`, `item_id`, `caller`)
);
--> statement-breakpoint
CREATE TABLE `learning_controls` (
	`id` integer PRIMARY KEY NOT NULL,
	`paused` integer NOT NULL,
	`daily_calls` integer NOT NULL,
	`daily_tokens` integer NOT NULL,
	`updated_by` text NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `model_usage` (
	`day` text PRIMARY KEY NOT NULL,
	`calls` integer NOT NULL,
	`tokens` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `outcome_votes` (
	`interaction_id` text NOT NULL,
	`caller` text NOT NULL,
	`outcome` text NOT NULL,
	`credited` text,
	PRIMARY KEY(`interaction_id`, `caller`)
);
--> statement-breakpoint
CREATE TABLE `pattern_sources` (
	`pattern_id` text NOT NULL,
	`interaction_id` text NOT NULL,
	PRIMARY KEY(`pattern_id`, `interaction_id`)
);
--> statement-breakpoint
CREATE INDEX `pattern_sources_interaction` ON `pattern_sources` (`interaction_id`);--> statement-breakpoint
CREATE TABLE `patterns` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`collection` text NOT NULL,
	`title` text NOT NULL,
	`approach` text NOT NULL,
	`terms` text NOT NULL,
	`extracted_by` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `patterns_project` ON `patterns` (`project`,`collection`,`id`);--> statement-breakpoint
INSERT INTO `outcome_votes` (`interaction_id`, `caller`, `outcome`, `credited`)
SELECT i.id, coalesce((SELECT e.caller FROM outcome_events e WHERE e.interaction_id = i.id ORDER BY e.id DESC LIMIT 1), 'unknown'),
  i.outcome, (SELECT c.credited FROM interaction_contexts c WHERE c.interaction_id = i.id LIMIT 1)
FROM interactions i WHERE i.outcome IS NOT NULL;
--> statement-breakpoint
INSERT INTO `context_votes` (`project`, `collection`, `item_id`, `caller`, `successes`, `partials`, `failures`)
SELECT i.project, c.collection, c.item_id, v.caller, sum(c.credited = 'success'), sum(c.credited = 'partial'),
  sum(c.credited = 'failure')
FROM interaction_contexts c JOIN interactions i ON i.id = c.interaction_id JOIN outcome_votes v ON v.interaction_id = i.id
WHERE c.credited IS NOT NULL GROUP BY i.project, c.collection, c.item_id, v.caller;
--> statement-breakpoint
ALTER TABLE `interaction_contexts` DROP COLUMN `credited`;