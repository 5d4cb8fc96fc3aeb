import { defer, type Observable } from 'rxjs';
import type { DiscoveryOptions, FileObject } from './discovery.js';
import { checkFormat, type OpenPosition } from './filesPosition.js';
import { ListedRoot } from './listedRoot.js';
import { badPosition } from './position.js';

/** An object that the restored position is in. */
export interface ResumedObject {
  readonly position: OpenPosition;
  /** Index of the URI that covers it. */
  readonly root: number;
  readonly uri: string;
  /** A description of the request. */
  readonly asksFor: string;
  /** HEAD, which must still give its ETag. Errors: `ObjectChanged`, `ObjectVanished`, `BadPosition`, and those of the store. */
  readonly request: Observable<FileObject>;
}

/**
 * The objects that the restored position is in, in its order: a discovery answers them before any other.
 *
 * @param root the index of the URI of an object whose position has none
 *
 * Errors: `ForeignName` and `BadPosition` (an object that belongs to another source, or was read with another format), before anything is requested.
 */
export function resumedObjects(options: DiscoveryOptions, root: number): readonly ResumedObject[] {
  const roots = new Map<number, ListedRoot>();
  const rootOf = (index: number): ListedRoot => {
    const uri = options.uris[index];
    if (uri === undefined) throw badPosition(options.id, 'is in an object of no URI');
    const opened = roots.get(index) ?? new ListedRoot(index, uri, undefined, options);
    roots.set(index, opened);
    return opened;
  };
  return (options.restored?.objects ?? []).map((position) => {
    const index = position.root ?? root;
    const { key } = position;
    const of = rootOf(index);
    of.checkCovers(key);
    const uri = of.uriOf(key);
    checkFormat(options.id, uri, position, options.format);
    return {
      position,
      root: index,
      uri,
      asksFor: `an answer about ${uri}`,
      request: defer(() => of.reopen(position)),
    };
  });
}
