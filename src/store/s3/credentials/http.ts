import { HttpHandler } from '../httpHandler.js';
import type { Transport } from '../transport.js';

/** Milliseconds. */
const times = { connectionTimeout: 10_000, requestTimeout: 60_000, idleTimeout: 60_000 };

/** Makes what carries requests so seldom that no socket is kept: it is for one exchange, and destroyed afterwards. */
export function seldom(transport: Transport): () => HttpHandler {
  return () => new HttpHandler(4, times, transport);
}
