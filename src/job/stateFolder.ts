import { mergeMap, EMPTY, scan, type Observable } from 'rxjs';
import type { Transfer } from '../config/config.js';
import { InvalidOption } from '../config/units.js';
import { hideUserInfo } from '../path/index.js';
import { StateError } from '../state/index.js';
import type { EntryPlace, MovedObject } from '../state/layout/index.js';
import type { StoreLocation } from '../store/services.js';

/** The progress of an export or import of state. */
export interface StateProgress {
  /** Entries. `total` is absent while it is unknown. */
  readonly objects: { readonly done: number; readonly total?: number };
  /** Of entries. */
  readonly bytes: { readonly done: number; readonly total?: number };
  /** The entry that was transferred last; at the end, what completes the export or the savepoint. */
  readonly uri: string;
}

/** A folder in a store, by its URI. */
export interface StateFolder extends EntryPlace {
  readonly location: StoreLocation;
  /** The URI of a key in the folder that consists of letters, digits and `=-_./`. */
  readonly uri: (key: string) => string;
}

/** The URI of a folder, checked. Errors: `InvalidOption`. */
export function folderUri(of: string, uri: unknown, rule = 'the URI of a folder'): string {
  if (typeof uri !== 'string' || uri === '') throw new InvalidOption(of, uri, rule);
  return uri;
}

export function stateFolder(uri: string, location: StoreLocation): StateFolder {
  const folder = location.key.replace(/\/+$/, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  const base = `${hideUserInfo(uri).replace(/\/+$/, '')}/`;
  const { store } = location;
  return { location, store, prefix, uri: (key) => base + key.slice(prefix.length) };
}

/** Fails if the folder has objects. Errors: `FolderNotEmpty`. */
export function checkEmpty({ store, prefix, uri }: StateFolder, what: string): Observable<never> {
  return store.list({ prefix, limit: 1 }).pipe(
    mergeMap(({ objects }) => {
      if (objects.length === 0) return EMPTY;
      throw new StateError(
        'FolderNotEmpty',
        `${uri(prefix)} has objects, and ${what} needs an empty folder: old objects would be among the new ones. Use another folder, or remove this one first.`,
      );
    }),
  );
}

/** Requests in flight, as transfers are configured. */
export const requestsOf = ({ parallel, bulkCopy }: Transfer): number => (parallel ? bulkCopy.concurrency : 1);

/** Adds up what has been transferred. */
export function progressOf(
  { uri }: StateFolder,
  total?: { readonly objects: number; readonly bytes: number },
): (moved: Observable<MovedObject>) => Observable<StateProgress> {
  const of = (objects: number, bytes: number, at: string): StateProgress => ({
    objects: { done: objects, ...(total === undefined ? {} : { total: total.objects }) },
    bytes: { done: bytes, ...(total === undefined ? {} : { total: total.bytes }) },
    uri: at,
  });
  return scan(
    (before: StateProgress, { key, bytes }: MovedObject) =>
      of(before.objects.done + 1, before.bytes.done + bytes, uri(key)),
    of(0, 0, ''),
  );
}
