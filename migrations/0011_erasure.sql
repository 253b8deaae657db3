CREATE TABLE `deletions` (
	`id` text PRIMARY KEY NOT NULL,
	`what` text NOT NULL,
	`project` text,
	`subject` text NOT NULL,
	`status` text NOT NULL,
	`state` text NOT NULL,
	`before` text,
	`deleted` text NOT NULL,
	`after` text,
	`requested_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`finished_at` integer
);
--> statement-breakpoint
CREATE INDEX `deletions_subject` ON `deletions` (`what`,`subject`,`status`);--> statement-breakpoint
CREATE TABLE `generation_usage` (
	`day` text NOT NULL,
	`subject` text NOT NULL,
	`tokens` integer NOT NULL,
	PRIMARY KEY(`day`, `subject`)
);
--> statement-breakpoint
CREATE TABLE `ingest_usage` (
	`project` text NOT NULL,
	`day` text NOT NULL,
	`items` integer NOT NULL,
	`bytes` integer NOT NULL,
	PRIMARY KEY(`project`, `day`)
);
--> statement-breakpoint
CREATE TABLE `knowledge_writers` (
	`project` text NOT NULL,
	`collection` text NOT NULL,
	`source` text NOT NULL,
	`reference` text NOT NULL,
	`caller` text NOT NULL,
	PRIMARY KEY(`project`, `collection`, `source`, `reference`)
);
--> statement-breakpoint
CREATE INDEX `knowledge_writers_caller` ON `knowledge_writers` (`caller`,`project`);--> statement-breakpoint
ALTER TABLE `corrections` ADD `caller` text;--> statement-breakpoint
ALTER TABLE `interactions` ADD `caller` text;--> statement-breakpoint
ALTER TABLE `retrievals` ADD `caller` text;--> statement-breakpoint
ALTER TABLE `routing_decisions` ADD `conversation_id` text;--> statement-breakpoint
ALTER TABLE `routing_decisions` ADD `caller` text;