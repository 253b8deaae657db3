/**
 * Name and version of the coordinator.
 * @module
 */

/** Name and version for MCP clients and the OpenAPI document. */
export const SERVER_INFO = {
  name: 'hybrid-coordinator',
  title: 'Hybrid Coordinator',
  version: '0.1.0',
  description: "Augments agents' queries with the team's own knowledge, and learns from what came of the answers.",
} as const
