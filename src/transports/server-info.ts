/**
 * How the coordinator names itself.
 * @module
 */

/** Name and version as MCP clients and the OpenAPI document show them. */
export const SERVER_INFO = {
  name: 'hybrid-coordinator',
  title: 'Hybrid Coordinator',
  version: '0.1.0',
  description: "Augments agents' queries with the team's own knowledge, and learns from what came of the answers.",
} as const
