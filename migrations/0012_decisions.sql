ALTER TABLE `interactions` ADD `decision_id` text;--> statement-breakpoint
CREATE INDEX `interactions_decision` ON `interactions` (`project`,`id`) WHERE decision_id IS NOT NULL;