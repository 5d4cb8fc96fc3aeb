import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  ignoreElements,
  of,
  throwError,
  type Observable,
} from 'rxjs';
import { isStoreError } from '../../store/errors.js';
import type { Entry } from '../types.js';
import type { Client } from './client.js';
import { entriesOf } from './directories.js';
import { FsError, systemError, type Call } from './errors.js';
import { directoryUri, nameIn, nameUri, textOf, uriOf, within } from './paths.js';
import { promised } from './promised.js';

export interface CpOptions {
  /** Copies directories with their content. Default false. */
  readonly recursive?: boolean | undefined;
  /** Overwrites existing objects. Default true. */
  readonly force?: boolean | undefined;
  /** With `force: false`, an existing object is an error; otherwise it is kept. Default false. */
  readonly errorOnExist?: boolean | undefined;
  /** Selects what is copied. Nothing of a rejected directory is. */
  readonly filter?: ((source: string, destination: string) => boolean | Promise<boolean>) | undefined;
}

/** Node's `cp`. One server copies by itself. */
export async function cp(
  client: Client,
  source: string | URL,
  destination: string | URL,
  options: CpOptions = {},
): Promise<void> {
  const call = { syscall: 'cp', path: textOf(source), dest: textOf(destination) };
  const [from_, to] = [uriOf(source), uriOf(destination)];
  const wanted = wantedBy(options.filter, call);
  const copied = defer(() => wanted('')).pipe(
    concatMap((yes) => (yes ? copyAll(client, from_, to, options, call, wanted) : EMPTY)),
  );
  await promised(copied, call);
}

type Wanted = (path: string) => Observable<boolean>;

function wantedBy(filter: CpOptions['filter'], { path = '', dest = '' }: Call): Wanted {
  if (filter === undefined) return () => of(true);
  const below = (top: string, name: string): string =>
    name === '' ? top : `${top.replace(/\/$/, '')}/${nameIn(top)(name)}`;
  return (name) => defer(async () => filter(below(path, name), below(dest, name)));
}

function copyAll(
  client: Client,
  source: string,
  target: string,
  options: CpOptions,
  call: Call,
  wanted: Wanted,
): Observable<never> {
  return client.find(source).pipe(
    concatMap((found) => {
      if (found === undefined) throw new FsError('ENOENT', call);
      return client.find(nameUri(target)).pipe(
        concatMap((there) => {
          if (nameUri(source) === nameUri(target))
            throw invalid('Source and destination must not be the same', call);
          if (found.kind === 'object') return file(client, source, target, there, options, call);
          return directory(client, source, target, there, options, call, wanted);
        }),
      );
    }),
  );
}

function file(
  client: Client,
  source: string,
  target: string,
  there: Entry | undefined,
  options: CpOptions,
  call: Call,
): Observable<never> {
  if (there?.kind === 'directory')
    throw systemError(
      'ERR_FS_CP_NON_DIR_TO_DIR',
      'EISDIR',
      'Cannot overwrite directory with non-directory',
      call,
    );
  return one(client, source, nameUri(target), options, call);
}

function directory(
  client: Client,
  source: string,
  target: string,
  there: Entry | undefined,
  options: CpOptions,
  call: Call,
  wanted: Wanted,
): Observable<never> {
  if (there?.kind === 'object')
    throw systemError(
      'ERR_FS_CP_DIR_TO_NON_DIR',
      'ENOTDIR',
      'Cannot overwrite non-directory with directory',
      call,
    );
  const [from_, to] = [directoryUri(source), directoryUri(target)];
  if (to.startsWith(from_)) throw invalid('Cannot copy to a subdirectory of self', call);
  if (options.recursive !== true)
    throw systemError(
      'ERR_FS_EISDIR',
      'EISDIR',
      'Recursive option not enabled, cannot copy a directory',
      call,
    );
  const { operations } = client;
  if (options.filter === undefined && options.force !== false)
    return operations.copy(from_, to).pipe(ignoreElements());
  const refused: string[] = [];
  const each = entriesOf(client, source, call, { recursive: true }).pipe(
    concatMap(({ path, kind }) => {
      if (refused.some((above) => path.startsWith(`${above}/`))) return EMPTY;
      return wanted(path).pipe(
        concatMap((yes): Observable<never> => {
          if (!yes) refused.push(path);
          if (!yes) return EMPTY;
          if (kind === 'directory')
            return operations.makeDirectory(directoryUri(within(to, path))).pipe(ignoreElements());
          return one(client, within(from_, path), within(to, path), options, call);
        }),
      );
    }),
  );
  return concat(operations.makeDirectory(to).pipe(ignoreElements()), each);
}

function one(
  { operations }: Client,
  source: string,
  target: string,
  { force = true, errorOnExist = false }: CpOptions,
  call: Call,
): Observable<never> {
  return operations.copy(source, target, { overwrite: force }).pipe(
    ignoreElements(),
    catchError((error: unknown) => {
      if (!isStoreError(error, 'AlreadyExists')) return throwError(() => error);
      if (!errorOnExist) return EMPTY;
      return throwError(() => systemError('ERR_FS_CP_EEXIST', 'EEXIST', 'Target already exists', call));
    }),
  );
}

function invalid(what: string, call: Call): Error {
  return systemError('ERR_FS_CP_EINVAL', 'EINVAL', what, call);
}
