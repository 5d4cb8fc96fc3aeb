import {
  bufferCount,
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  ignoreElements,
  mergeMap,
  reduce,
  tap,
  type Observable,
} from 'rxjs';
import { listAll } from '../../store/helpers.js';
import { StateError } from '../errors.js';
import { decodeList, listName, longestList } from './entryList.js';
import type { EntryPlace } from './entryWriter.js';
import { got } from './importEntries.js';
import { summaryName, type ExportSummary } from './summary.js';

/** Keys that are looked for together. */
const together = 50_000;

/**
 * Checks that the folder of an export has no other objects. Takes a listing; only if there are too many objects, the
 * lists of entries are read to find out which. Errors: `EntryForeign`, and as `importEntries`.
 */
export function checkFolder(place: EntryPlace, { operators }: ExportSummary): Observable<never> {
  const { store, prefix } = place;
  const expected = operators.reduce((sum, { entries, lists }) => sum + entries + lists, 1);
  return listAll(store, prefix).pipe(
    reduce((sum, { length }) => sum + length, 0),
    mergeMap((found) => (found <= expected ? EMPTY : foreign(place, operators))),
  );
}

function foreign(place: EntryPlace, operators: ExportSummary['operators']): Observable<never> {
  const { store, prefix } = place;
  const lists = operators.flatMap(({ folder, lists: count }) =>
    Array.from({ length: count }, (_, i) => ({
      folder: prefix + folder,
      key: prefix + folder + listName(i + 1),
    })),
  );
  return listAll(store, prefix).pipe(
    concatMap((objects) => objects),
    bufferCount(together),
    concatMap((objects) => {
      const keys = new Set(objects.map(({ key }) => key));
      keys.delete(prefix + summaryName);
      const known = from(lists).pipe(
        concatMap(({ folder, key }) =>
          got(place, key, longestList).pipe(
            tap((bytes) => {
              keys.delete(key);
              for (const { name } of decodeList(key, bytes)) keys.delete(folder + name);
            }),
          ),
        ),
        ignoreElements(),
      );
      return concat(
        known,
        defer(() => {
          for (const key of keys) throw new StateError('EntryForeign', notOfExport(store.uri, key));
          return EMPTY;
        }),
      );
    }),
  );
}

const notOfExport = (uri: string, key: string): string =>
  `The object ${key} of ${uri} is not part of the export in its folder. Nothing was imported. Remove it, or move it to another folder.`;
