/**
 * Keyed state as objects, one for each entry, which is what a key holds in a state and namespace:
 *
 * ```
 * <folder>/[<operator>/]<state>/<key group>/<key>[.<namespace>]<extension>
 * <folder>/[<operator>/]_entries.<n>.txt
 * <folder>/_export.json
 * ```
 * Operators have folders of their own if there are several. Entries are written first, with the lists of them, and the
 * root last: without it, an export is incomplete. An import reads entries in the order of the lists, which is that of
 * cells in segments, so both need little memory for state of any size.
 */
export { checkFolder } from './checkFolder.js';
export { folderName } from './entryName.js';
export type { EntryPlace, MovedObject } from './entryWriter.js';
export { exportEntries } from './exportEntries.js';
export { got, importEntries, type ImportedOperator } from './importEntries.js';
export {
  decodeSummary,
  encodeSummary,
  largestSummary,
  summaryName,
  type ExportedOperator,
  type ExportSummary,
  type OtherSnapshot,
} from './summary.js';
