import type { Json } from '../../flow/index.js';
import { fields, isCount, isRecord, isString, listOf, oneOf, optional } from '../../shape.js';
import type { KeyGroupRange } from '../keys/keyGroups.js';
import { corrupt, type EntrySchema } from './entryObject.js';

/** The root of an export, which is written last and completes it. */
export interface ExportSummary {
  readonly job: string;
  readonly checkpoint: number;
  /** When the checkpoint was made: milliseconds since the epoch. */
  readonly at: number;
  /** Ends the names of entries. */
  readonly extension: string;
  readonly operators: readonly ExportedOperator[];
  /** The snapshots of sources and of operators without keyed state, by id. */
  readonly others: Readonly<Record<string, OtherSnapshot>>;
  /** The key groups whose state it is. Absent: all. */
  readonly keyGroups?: KeyGroupRange;
  /** The input was over. */
  readonly finished: boolean;
}

export interface OtherSnapshot {
  readonly kind: 'source' | 'operator';
  readonly snapshot: Json;
  /** Of a source: its `End` was sent before the checkpoint. */
  readonly ended?: boolean;
}

/** The keyed state of an operator in an export. */
export interface ExportedOperator {
  readonly operator: string;
  /** Below the export's folder. Empty, or with a slash at its end. */
  readonly folder: string;
  readonly maxParallelism: number;
  /** In the order of their ids. */
  readonly states: readonly ExportedState[];
  readonly entries: number;
  /** Of all entries. */
  readonly bytes: number;
  readonly lists: number;
}

export interface ExportedState {
  /** As in snapshots, so that entries have the order of cells. */
  readonly id: string;
  readonly name: string;
  /** Absent if there are no entries. */
  readonly schema?: EntrySchema;
}

/** The name of the root. No folder of a state or operator has a dot in its name. */
export const summaryName = '_export.json';

/** Bytes: well above what a manifest can have. */
export const largestSummary = 256 * 2 ** 20;

const format = 'millrace-state-export';

const isState = fields({
  id: isString,
  name: isString,
  schema: optional(
    fields({
      kind: isString,
      serializer: fields({ id: isString, version: isCount }),
      type: optional(isString),
    }),
  ),
});
const isOperator = fields({
  operator: isString,
  folder: (value) => isString(value) && /^([\w=-]+\/)?$/.test(value),
  maxParallelism: (value) => isCount(value) && value > 0 && value <= 2 ** 15,
  states: listOf(isState),
  entries: isCount,
  bytes: isCount,
  lists: isCount,
});
const isOther = fields({
  kind: oneOf('source', 'operator'),
  snapshot: (value) => value !== undefined,
  ended: optional((value) => typeof value === 'boolean'),
});
const isSummary = fields({
  format: oneOf(format),
  version: (value) => value === 1,
  job: isString,
  checkpoint: isCount,
  at: isCount,
  extension: isString,
  operators: listOf(isOperator),
  others: (value) => isRecord(value) && Object.values(value).every(isOther),
  keyGroups: optional(fields({ first: isCount, last: isCount })),
  finished: (value) => typeof value === 'boolean',
});

export function encodeSummary(summary: ExportSummary): Buffer {
  return Buffer.from(`${JSON.stringify({ format, version: 1, ...summary }, undefined, 2)}\n`);
}

/** Errors: `EntryCorrupt`. */
export function decodeSummary(object: string, bytes: Buffer): ExportSummary {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch (cause) {
    throw corrupt(object, 'it is not JSON', cause);
  }
  if (!isSummary(json)) throw corrupt(object, 'it does not describe an export that this millrace can read');
  return json as ExportSummary;
}
