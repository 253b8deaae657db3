CREATE TABLE `context_credit` (
	`project` text NOT NULL,
	`collection` text NOT NULL,
	`item_id` text NOT NULL,
	`successes` integer DEFAULT 0 NOT NULL,
	`partials` integer DEFAULT 0 NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	`version` integer DEFAULT 0 NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`project`, `collection`, `item_id`)
);
--> statement-breakpoint
CREATE TABLE `corrections` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`interaction_id` text,
	`query` text NOT NULL,
	`original_response` text,
	`correction` text NOT NULL,
	`rating` real,
	`tags` text NOT NULL,
	`model` text,
	`variant` text,
	`idempotency_key` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `corrections_idempotency` ON `corrections` (`project`,`idempotency_key`);--> statement-breakpoint
CREATE INDEX `corrections_project_id` ON `corrections` (`project`,`id`);--> statement-breakpoint
CREATE INDEX `corrections_interaction` ON `corrections` (`interaction_id`);--> statement-breakpoint
CREATE TABLE `exports` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`format` text NOT NULL,
	`filters` text NOT NULL,
	`key` text NOT NULL,
	`rows` integer NOT NULL,
	`bytes` integer NOT NULL,
	`sha256` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `exports_project_id` ON `exports` (`project`,`id`);--> statement-breakpoint
CREATE TABLE `interaction_contexts` (
	`interaction_id` text NOT NULL,
	`collection` text NOT NULL,
	`item_id` text NOT NULL,
	`position` integer NOT NULL,
	`credited` text,
	PRIMARY KEY(`interaction_id`, `collection`, `item_id`)
);
--> statement-breakpoint
CREATE INDEX `interaction_contexts_item` ON `interaction_contexts` (`collection`,`item_id`);--> statement-breakpoint
CREATE TABLE `interactions` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`query` text NOT NULL,
	`response` text NOT NULL,
	`agent_type` text NOT NULL,
	`model_used` text NOT NULL,
	`tokens_used` integer NOT NULL,
	`latency_ms` real NOT NULL,
	`tags` text NOT NULL,
	`variant` text,
	`conversation_id` text,
	`outcome` text,
	`user_feedback` integer,
	`revision` integer DEFAULT 0 NOT NULL,
	`last_event` text,
	`value_score` real,
	`value_parts` text,
	`value_version` text,
	`idempotency_key` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `interactions_idempotency` ON `interactions` (`project`,`idempotency_key`);--> statement-breakpoint
CREATE INDEX `interactions_project_id` ON `interactions` (`project`,`id`);--> statement-breakpoint
CREATE INDEX `interactions_outcome` ON `interactions` (`project`,`outcome`,`id`);--> statement-breakpoint
CREATE INDEX `interactions_variant` ON `interactions` (`project`,`variant`,`id`);--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`kind` text NOT NULL,
	`subject` text NOT NULL,
	`revision` integer DEFAULT 0 NOT NULL,
	`status` text DEFAULT 'pending' NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`run_after` integer NOT NULL,
	`last_error` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_cause` ON `jobs` (`kind`,`subject`,`revision`);--> statement-breakpoint
CREATE INDEX `jobs_due` ON `jobs` (`status`,`run_after`);--> statement-breakpoint
CREATE INDEX `jobs_project_status` ON `jobs` (`project`,`status`);--> statement-breakpoint
CREATE TABLE `outcome_events` (
	`id` text PRIMARY KEY NOT NULL,
	`interaction_id` text NOT NULL,
	`project` text NOT NULL,
	`outcome` text,
	`user_feedback` integer,
	`caller` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `outcome_events_interaction` ON `outcome_events` (`interaction_id`,`id`);--> statement-breakpoint
CREATE TABLE `retrievals` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`operation` text NOT NULL,
	`query` text NOT NULL,
	`conversation_id` text,
	`shown` text NOT NULL,
	`token_budget` integer NOT NULL,
	`tokens_added` integer NOT NULL,
	`tokens_whole` integer NOT NULL,
	`latency_ms` real NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `retrievals_project_id` ON `retrievals` (`project`,`id`);--> statement-breakpoint
CREATE TABLE `routing_decisions` (
	`id` text PRIMARY KEY NOT NULL,
	`project` text NOT NULL,
	`query` text NOT NULL,
	`route` text NOT NULL,
	`backend` text NOT NULL,
	`record` text NOT NULL,
	`latency_ms` real NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `routing_decisions_project_id` ON `routing_decisions` (`project`,`id`);