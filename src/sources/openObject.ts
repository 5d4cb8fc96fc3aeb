import { readsGroups } from '../formats/groupReader.js';
import type { Clock } from '../flow/index.js';
import type { BlockSize } from './blockSize.js';
import type { FileObject } from './discovery.js';
import type { Fetcher } from './fetcher.js';
import type { FilesSettings } from './filesSettings.js';
import type { GroupBudget } from './groupBudget.js';
import { GroupObject } from './groupObject.js';
import type { MalformedRecords } from './malformedRecords.js';
import { ObjectReader } from './objectReader.js';
import type { OpenObject } from './openObjects.js';
import { pinnedRange } from './pinnedRange.js';

export interface OpenObjectOptions {
  /** Of the source. */
  readonly id: string;
  readonly malformed: MalformedRecords;
  readonly blockSize: BlockSize;
  readonly clock: Clock;
  readonly fetcher: Fetcher<FileObject>;
  /** Of a format with row groups. */
  readonly groups: GroupBudget | undefined;
  readonly ready: () => void;
  /** The object cannot be read. */
  readonly fail: (error: unknown) => void;
  /** The same, unless the source can continue without the object. */
  readonly failObject: (error: unknown) => void;
}

/** Opens a reader of an object or split, by its format. */
export function openObject<T>(
  object: FileObject,
  settings: FilesSettings<T>,
  { fetcher, groups, fail, failObject, ...common }: OpenObjectOptions,
): OpenObject<T> {
  const { format, limits } = settings;
  if (!readsGroups(format))
    return new ObjectReader({ ...settings, ...common, object, format, fetched: fetcher.open(object), fail });
  return new GroupObject({
    ...common,
    object,
    format,
    limits,
    budget: groups as GroupBudget,
    get: (range) => pinnedRange(object, range),
    fail: failObject,
  });
}
