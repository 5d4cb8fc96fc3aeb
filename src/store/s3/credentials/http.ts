import { HttpHandler } from '../httpHandler.js';

/** Milliseconds. */
const times = { connectionTimeout: 10_000, requestTimeout: 60_000, idleTimeout: 60_000 };

/** Carries what is asked so seldom that no socket is kept: it is made for one exchange, and destroyed afterwards. */
export function seldom(): HttpHandler {
  return new HttpHandler(4, times);
}
