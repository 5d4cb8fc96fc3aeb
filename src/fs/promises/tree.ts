import { randomBytes } from 'node:crypto';
import type { PathLike } from 'node:fs';
import { concat, concatMap, defer, EMPTY, map, of, toArray, type Observable } from 'rxjs';
import type { Client } from './client.js';
import { named, optionsOf, type EncodingOptions } from './data.js';
import { Dir } from './dir.js';
import { entriesOf } from './directories.js';
import { FsError, systemError, type Call } from './errors.js';
import { checkDirectory } from './opening.js';
import { directoryUri, nameIn, nameUri, parentUri, textOf, uriOf } from './paths.js';
import { answer, promised } from './promised.js';
import { Dirent, direntIn } from './stats.js';

export interface ReaddirOptions extends EncodingOptions {
  readonly withFileTypes?: boolean;
  readonly recursive?: boolean | undefined;
}

export interface RmOptions {
  /** Ignores a missing path. Default false. */
  readonly force?: boolean | undefined;
  /** Removes directories with their content. Default false. */
  readonly recursive?: boolean | undefined;
}

/** The functions for directories. */
export class Tree {
  constructor(private readonly client: Client) {}

  readdir = async (
    path: PathLike,
    options?: ReaddirOptions | BufferEncoding | 'buffer' | null,
  ): Promise<(string | Buffer)[] | Dirent<string | Buffer>[]> => {
    const { encoding, withFileTypes = false, recursive = false } = optionsOf<ReaddirOptions>(options);
    const call = { syscall: 'scandir', path: textOf(path) };
    const found = await answer(
      entriesOf(this.client, uriOf(path), call, { recursive }).pipe(toArray()),
      call,
    );
    if (withFileTypes)
      return found.map((each) => {
        const { name, parentPath } = direntIn(call.path, each);
        return new Dirent(named(name, encoding), parentPath, each.kind);
      });
    // A directory and an object may have the same name, which is listed once.
    return [...new Set(found.map(({ path: below }) => nameIn(call.path)(below)))].map((each) =>
      named(each, encoding),
    );
  };

  opendir = async (path: PathLike, options: { readonly recursive?: boolean } = {}): Promise<Dir> => {
    const call = { syscall: 'opendir', path: textOf(path) };
    const uri = uriOf(path);
    await answer(this.#directory(uri, call), call);
    return new Dir(
      call.path,
      (pace) => entriesOf(this.client, uri, call, { recursive: options.recursive ?? false, pace }),
      call,
    );
  };

  mkdir = async (
    path: PathLike,
    options?: { readonly recursive?: boolean; readonly mode?: unknown } | number | string | null,
  ): Promise<string | undefined> => {
    const recursive = typeof options === 'object' && options?.recursive === true;
    const call = { syscall: 'mkdir', path: textOf(path) };
    const uri = uriOf(path);
    const made = await answer(
      recursive ? this.#makeAll(uri, call) : this.#make(uri, call).pipe(map(() => [])),
      call,
    );
    // As in Node, the first directory that was created.
    return made[0] === undefined ? undefined : pathOf(call.path, uri, made[0]);
  };

  mkdtemp = async (
    prefix: string,
    options?: EncodingOptions | BufferEncoding | 'buffer' | null,
  ): Promise<string | Buffer> => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
    const suffix = [...randomBytes(6)].map((byte) => alphabet.charAt(byte % alphabet.length)).join('');
    await this.mkdir(prefix + suffix);
    return named(prefix + suffix, optionsOf(options).encoding);
  };

  rmdir = async (
    path: PathLike,
    options: { readonly recursive?: boolean | undefined } = {},
  ): Promise<void> => {
    const call = { syscall: 'rmdir', path: textOf(path) };
    const uri = uriOf(path);
    const { recursive = false } = options;
    const removed = concat(
      this.#directory(uri, call).pipe(concatMap(() => EMPTY)),
      defer(() => this.client.operations.remove(directoryUri(uri), { recursive })),
    );
    await promised(removed, call);
  };

  rm = async (path: PathLike, options: RmOptions = {}): Promise<void> => {
    const { force = false, recursive = false } = options;
    const call = { syscall: 'rm', path: textOf(path) };
    const uri = uriOf(path);
    const removed = this.client.find(uri).pipe(
      concatMap((found): Observable<unknown> => {
        if (found === undefined) {
          if (force) return EMPTY;
          throw new FsError('ENOENT', { ...call, syscall: 'stat' });
        }
        if (found.kind === 'directory' && !recursive)
          throw systemError('ERR_FS_EISDIR', 'EISDIR', 'Path is a directory', call);
        return this.client.operations.remove(found.kind === 'directory' ? directoryUri(uri) : uri, {
          recursive,
        });
      }),
    );
    await promised(removed, call);
  };

  /** Emits if the directory exists. Errors: `ENOENT`, `ENOTDIR`. */
  #directory(uri: string, call: Call): Observable<true> {
    return this.client
      .isDirectory(uri)
      .pipe(concatMap((there) => (there ? of(true as const) : checkDirectory(this.client, uri, call))));
  }

  #make(uri: string, call: Call): Observable<unknown> {
    return this.client.find(nameUri(uri)).pipe(
      concatMap((there) => {
        if (there !== undefined) throw new FsError('EEXIST', call);
        return this.client.operations.makeDirectory(directoryUri(uri));
      }),
    );
  }

  /** Creates a directory and its missing parents, each with a marker, so that they exist without it. */
  #makeAll(uri: string, call: Call): Observable<readonly string[]> {
    const name = nameUri(uri);
    return this.client.find(name).pipe(
      concatMap((there): Observable<readonly string[]> => {
        if (there?.kind === 'object') throw new FsError('EEXIST', call);
        if (there !== undefined) return of([]);
        const parent = parentUri(name);
        const above = parent === undefined ? of([]) : this.#makeParents(parent, call);
        return above.pipe(
          concatMap((made) =>
            this.client.operations.makeDirectory(directoryUri(name)).pipe(map(() => [...made, name])),
          ),
        );
      }),
    );
  }

  #makeParents(uri: string, call: Call): Observable<readonly string[]> {
    return this.client.find(nameUri(uri)).pipe(
      concatMap((there) => {
        if (there?.kind === 'object') throw new FsError('ENOTDIR', call);
        return there === undefined ? this.#makeAll(uri, call) : of([]);
      }),
    );
  }
}

/** The path of a parent directory, in the form of the caller's path. */
function pathOf(path: string, uri: string, above: string): string {
  const levels = nameUri(uri).split('/').length - above.split('/').length;
  const names = path.replace(/([^/])\/+$/, '$1').split('/');
  return levels < names.length ? names.slice(0, names.length - levels).join('/') : above;
}
