import { checkId } from '../config/checkId.js';
import { checkOptions, required, type OptionNames } from '../config/checkOptions.js';
import type { FlowOperator } from '../flow/index.js';
import type { Key, StateSpecs } from '../state/index.js';
import type { KeyedOptions } from './keyed/keyedOptions.js';
import { keyedRecords } from './keyed/keyedRecords.js';

/**
 * Handles records with state per key that survives crashes.
 *
 * `onRecord` and `onTimer` run for one record or timer at a time, in order, and synchronously. A checkpoint contains
 * exactly the changes made before its barrier. An error that they throw ends the flow.
 *
 * `id` names the state in checkpoints: it must be unique within the job, and stay the same to keep the state. Errors:
 * `InvalidOption`, `InvalidState` immediately; `DuplicateId`, `StateSchemaMismatch`, `SegmentCorrupt`,
 * `SegmentMissing`, `SegmentTooNew` on start; `UnsupportedKey`, `UnsupportedValue`, `StateOutsideTurn`,
 * `TooManyKeys`, `NotIterable`, `PromiseInFlow`, `ObservableInFlow` while running.
 *
 * @example
 * ```ts
 * const clicks = visits.pipe(
 *   keyed('per-user', {
 *     key: (v) => v.user,
 *     state: { clicks: valueState(0) },
 *     onRecord: (v, { clicks }) => [{ ...v, clicks: clicks.update((n) => n + 1) }],
 *   }),
 * );
 * ```
 */
export function keyed<A, K extends Key, S extends StateSpecs, B, C = never>(
  id: string,
  options: KeyedOptions<A, K, S, B, C>,
): FlowOperator<A, B | C> {
  checkId('the id of keyed', id);
  checkOptions(`keyed '${id}'`, required(`the options of keyed '${id}'`, options), names);
  return keyedRecords({ name: 'keyed', id, ...options });
}

const names: OptionNames<KeyedOptions<never, never, never, never>> = {
  key: true,
  state: true,
  allowDropped: true,
  onRecord: true,
  onTimer: true,
  onUnencodable: true,
};
