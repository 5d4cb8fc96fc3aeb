/**
 * Keys are untrusted input, chosen by anyone who can write to the bucket. In a local target directory, a link may lead out of
 * it; nothing is written through such a link. Links in the target's own path are the user's choice.
 */
import { defer, EMPTY, forkJoin, mergeMap, type Observable } from 'rxjs';
import { OperationError } from '../errors.js';
import type { Task } from './task.js';

const remembered = 10_000;

export class Containment {
  /** Directories known to be inside their roots. */
  readonly #inside = new Set<string>();

  /** Completes if the target of a task is inside its target directory. Errors: `OutsideTarget`. */
  check({ to, key, root }: Task): Observable<never> {
    return defer(() => {
      const { identities } = to.location;
      const directory = key.slice(0, key.lastIndexOf('/') + 1);
      if (root === undefined || identities === undefined || directory.length <= root.length) return EMPTY;
      const uri = to.uri(directory);
      if (this.#inside.has(uri)) return EMPTY;
      return forkJoin([identities.directory(root), identities.directory(directory)]).pipe(
        mergeMap(([outer, inner]) => {
          const [own] = outer.within;
          // A missing directory contains no link.
          const inside = outer.missing.length > 0 || inner.within.some(({ id }) => id === own?.id);
          if (!inside) throw outside(to.uri(key), to.uri(root));
          if (this.#inside.size >= remembered) this.#inside.clear();
          this.#inside.add(uri);
          return EMPTY;
        }),
      );
    });
  }
}

function outside(uri: string, root: string): OperationError {
  return new OperationError(
    'OutsideTarget',
    `${uri} would be written outside of ${root}: a link there leads out of it. Remove the link, or name what it leads to as the target.`,
  );
}
