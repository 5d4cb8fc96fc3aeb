import { fields, isCount, isString, listOf, oneOf } from '../../shape.js';
import { corrupt } from './entryObject.js';

/** What an export contains. */
export interface ExportSummary {
  readonly operator: string;
  readonly maxParallelism: number;
  /** Names of all states, including those without entries. */
  readonly states: readonly string[];
  readonly entries: number;
  /** Ends the names of entries. */
  readonly extension: string;
}

/** The name of the object that completes an export. No folder of a state has it. */
export const summaryName = '_export.json';

const format = 'millrace-state-export';
const isSummary = fields({
  format: oneOf(format),
  version: (value) => value === 1,
  operator: isString,
  maxParallelism: isCount,
  states: listOf(isString),
  entries: isCount,
  extension: isString,
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
