import type { DiscoveryOptions } from './discovery.js';
import { ObjectVanished } from './errors.js';
import type { InputSkippedEvent } from './events.js';

/** Whether the source continues without an object that is gone, as its option `vanished` says. Reports the object then. */
export function skipsVanished({ id, vanished, report }: DiscoveryOptions, error: unknown): boolean {
  if (!(error instanceof ObjectVanished) || vanished !== 'skip') return false;
  report({
    type: 'input-skipped',
    operator: id,
    object: error.object,
    reason: 'It was deleted before it was read to its end.',
  } satisfies InputSkippedEvent);
  return true;
}
