/** Resolves URIs to places in stores, and describes objects as entries. */
import { compileUriGlob, formatUri, splitUri, type Glob, type Scheme } from '../../path/index.js';
import { StoreError } from '../../store/errors.js';
import type { ObjectInfo, ObjectStore } from '../../store/objectStore.js';
import type { StoreLocation, Stores } from '../../store/services.js';
import type { Entry } from '../types.js';

export interface Place {
  readonly store: ObjectStore;
  readonly location: StoreLocation;
  readonly key: string;
  readonly scheme: Scheme;
  /** The URI of another key of the same bucket. */
  uri(key: string): string;
}

/** Throws `InvalidUri` and `UnknownScheme`. */
export function placeOf(stores: Stores, uri: string): Place {
  return located(stores, uri, stores.open(uri).key);
}

/** The place of a URI with wildcards: `key` is the fixed prefix of all matching keys. */
export function globbed(stores: Stores, uri: string): { readonly place: Place; readonly glob: Glob } {
  const glob = compileUriGlob(splitUri(uri).key);
  return { place: located(stores, uri, glob.prefix), glob };
}

function located(stores: Stores, uri: string, key: string): Place {
  const location = stores.open(uri);
  const parts = splitUri(uri);
  return {
    store: location.store,
    location,
    key,
    scheme: parts.scheme,
    uri: (other) => formatUri({ ...parts, key: other }),
  };
}

/** Whether a key is a directory's: it is empty, or ends in a slash. */
export function isDirectory(key: string): boolean {
  return key === '' || key.endsWith('/');
}

/** The key as a directory's: with a slash, unless it is the whole bucket. */
export function directoryOf(key: string): string {
  return isDirectory(key) ? key : `${key}/`;
}

/** The last name of a key, with its slash, if any. */
export function nameOf(key: string): string {
  return key.length < 2 ? key : key.slice(key.lastIndexOf('/', key.length - 2) + 1);
}

export function entryOf(place: Place, info: ObjectInfo): Entry {
  return {
    uri: place.uri(info.key),
    name: nameOf(info.key),
    kind: isDirectory(info.key) ? 'directory' : 'object',
    size: info.size,
    modified: info.modified,
    etag: info.etag,
    ...(info.storageClass === undefined ? {} : { storageClass: info.storageClass }),
  };
}

/** A directory without a marker. */
export function directoryEntry(place: Place, key: string): Entry {
  return { uri: place.uri(key), name: nameOf(key), kind: 'directory', size: 0, modified: 0 };
}

export function notFound(place: Place): StoreError {
  return new StoreError(
    'NotFound',
    `${place.uri(place.key)} does not exist: there is no object with this key, and nothing below it.`,
    { status: 404 },
  );
}
