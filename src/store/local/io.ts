import { Observable } from 'rxjs';
import { StoreError } from '../errors.js';
import { errno } from './disk.js';
import { LockBusy } from './lock.js';

/** Thrown internally by `live()` after an unsubscribe. */
const cancelled = new Error('unsubscribed');

/**
 * A request of file system steps. It runs on each subscribe; after an unsubscribe it emits nothing and stops at the next
 * `live()`.
 */
export function io<T>(uri: string, work: (live: () => void) => Promise<T>): Observable<T> {
  return new Observable((out) => {
    work(() => {
      if (out.closed) throw cancelled;
    }).then(
      (value) => {
        out.next(value);
        out.complete();
      },
      (error: unknown) => {
        if (error !== cancelled) out.error(toStoreError(uri, error));
      },
    );
  });
}

/** Runs a step that publishes nothing, so its errors are marked as `unchanged`. */
export async function unpublished<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw toStoreError(path, error, true);
  }
}

/** Translates a file system error; other errors are returned as they are. */
export function toStoreError(uri: string, cause: unknown, unchanged = false): unknown {
  if (cause instanceof StoreError) return cause;
  if (cause instanceof LockBusy)
    return new StoreError('Throttled', `${cause.message} Nothing was done; try again.`, { cause });
  const code = errno(cause);
  if (code === undefined) return cause;
  const text = messageOf(cause);
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
      return new StoreError('NotFound', `${uri}: ${text}.`, { cause, serverCode: code });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new StoreError('PermissionDenied', `${uri}: ${text}. Give this user access to it.`, {
        cause,
        serverCode: code,
      });
    case 'ENAMETOOLONG':
      return new StoreError('InvalidRequest', `${uri}: ${text}. Use a shorter key or root directory.`, {
        cause,
        serverCode: code,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new StoreError('Unavailable', `${uri}: ${text}. Free some space on that disk, or use another.`, {
        cause,
        serverCode: code,
        unchanged,
      });
    case 'EMFILE':
    case 'ENFILE':
      return new StoreError(
        'Unavailable',
        `${uri}: ${text}. Raise the limit of open files (ulimit -n), or do less at the same time.`,
        { cause, serverCode: code, unchanged },
      );
    default:
      return new StoreError('Unavailable', `${uri}: ${text}.`, { cause, serverCode: code, unchanged });
  }
}

function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
