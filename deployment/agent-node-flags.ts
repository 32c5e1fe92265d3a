/**
 * Flags of an agent's Node, on an instance and on one machine alike. V8's heap is kept small: what an agent needs grows with its sockets,
 * not with the size of what it downloads.
 */
export const AGENT_NODE_FLAGS = ['--max-semi-space-size=4', '--max-old-space-size=64', '--v8-pool-size=1'] as const;
