// For the event `latchkey:decision`: requests that the SDK has authenticated, and not an adapter.
import type { RequestPlace } from '@latchkey/core/adapter';

export const MCP: RequestPlace = Object.freeze({ framework: 'mcp' });
