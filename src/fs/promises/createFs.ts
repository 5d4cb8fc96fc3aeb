import { constants, type PathLike, type StatOptions, type Stats as NodeStats } from 'node:fs';
import type * as node from 'node:fs/promises';
import { defer, map, type Observable } from 'rxjs';
import { filePath } from '../../path/index.js';
import { Client, type FsOptions } from './client.js';
import { cp, type CpOptions } from './cp.js';
import { named, optionsOf, type Data, type EncodingOptions } from './data.js';
import type { Dir } from './dir.js';
import { FsError, notSupported, type Call } from './errors.js';
import type { FileHandle } from './fileHandle.js';
import { Files, type WriteFileOptions } from './files.js';
import { textOf, uriOf } from './paths.js';
import type { ReadStream, ReadStreamOptions } from './readStream.js';
import { answer } from './promised.js';
import { Stats } from './stats.js';
import { Tree } from './tree.js';
import type { Stat, WriteOptions } from '../types.js';
import type { WriteStream, WriteStreamOptions } from './writeStream.js';

/** What Node tells, and what the store says beyond. */
export type ObjectStats = NodeStats & Pick<Stats, 'etag' | 'metadata' | 'content' | 'storageClass'>;

/** The first overload is what holds: sizes and times are numbers. Node's follow for code that is typed by them. */
export type StatFunction = ((
  path: PathLike,
  options?: StatOptions & { readonly bigint?: false },
) => Promise<ObjectStats>) &
  (typeof node)['stat'];

/**
 * `node:fs/promises` over every store. Functions behave and fail as Node's do; `docs/fs.md` says where objects differ from
 * files. Paths are `s3://`, `s3a://`, `s3x://`, `file://` and `memory://` URIs, or local paths.
 */
/** The part of `node:fs/promises` that objects can do has the types it has there. */
export interface Fs extends Pick<
  typeof node,
  | 'access'
  | 'appendFile'
  | 'copyFile'
  | 'cp'
  | 'mkdir'
  | 'mkdtemp'
  | 'readFile'
  | 'readdir'
  | 'realpath'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'unlink'
> {
  readonly constants: (typeof node)['constants'];
  /** Beyond Node's options, those of a write: `assumeObjectNotExists`, `ifMatch`, `metadata`, `partSize`, … */
  readonly writeFile: (typeof node)['writeFile'] &
    ((file: PathLike | FileHandle, data: Data, options?: WriteFileOptions) => Promise<void>);
  /** Opens for reading (`r`), replacing (`w`) or creating (`wx`). A written object is published when the handle is closed. */
  readonly open: (
    path: PathLike,
    flags?: string | number,
    options?: WriteOptions | number | string,
  ) => Promise<FileHandle>;
  /** Beyond Node's stats: `etag`, `metadata`, `content` and `storageClass`, as far as the store tells them. */
  readonly stat: StatFunction;
  readonly lstat: StatFunction;
  readonly opendir: (path: PathLike, options?: { readonly recursive?: boolean }) => Promise<Dir>;
  readonly createReadStream: (path: PathLike, options?: ReadStreamOptions | BufferEncoding) => ReadStream;
  readonly createWriteStream: (path: PathLike, options?: WriteStreamOptions | BufferEncoding) => WriteStream;
  /** Waits for clean-up, and closes the connections that were opened here. */
  readonly close: () => Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A file system with the given stores or configuration.
 *
 * @example
 * ```ts
 * import { createFs } from 'millrace/fs';
 * import { loadConfig } from 'millrace';
 *
 * await using fs = createFs({ config: loadConfig({ set: { 's3.region': 'eu-central-1' } }) });
 * await fs.writeFile('s3://lake/notes.txt', 'hello');
 * console.log(await fs.readFile('s3://lake/notes.txt', 'utf8'));
 * ```
 */
export function createFs(options: FsOptions = {}): Fs {
  const client = new Client(options);
  const files = new Files(client);
  const tree = new Tree(client);

  const stat = async (path: PathLike, statOptions?: { readonly bigint?: boolean }): Promise<Stats> => {
    const call = { syscall: 'stat', path: textOf(path) };
    if (statOptions?.bigint === true)
      throw notSupported(call, 'Sizes and times are numbers: leave out `bigint`.');
    return new Stats(await answer(found(client, path, call), call));
  };
  const access = async (path: PathLike, mode = constants.F_OK): Promise<void> => {
    const call = { syscall: 'access', path: textOf(path) };
    const { kind } = await answer(found(client, path, call), call);
    // Permission to write is only known when writing.
    if (kind === 'object' && (mode & constants.X_OK) !== 0) throw new FsError('EACCES', call);
  };
  const realpath = async (
    path: PathLike,
    pathOptions?: EncodingOptions | BufferEncoding | 'buffer' | null,
  ): Promise<string | Buffer> => {
    const call = { syscall: 'realpath', path: textOf(path) };
    const { uri } = await answer(found(client, path, call), call);
    const text = textOf(path);
    const isPath = !/^[a-z][a-z0-9+.-]*:\/\//i.test(text);
    return named(isPath ? filePath(uri).replace(/(.)\/$/, '$1') : uri, optionsOf(pathOptions).encoding);
  };
  const close = (): Promise<void> => client.close();

  // Node's overloads derive the result's type from the options, which one implementation cannot.
  return {
    constants,
    access,
    appendFile: files.appendFile as Fs['appendFile'],
    copyFile: files.copyFile,
    cp: (source: string | URL, destination: string | URL, cpOptions?: CpOptions) =>
      cp(client, source, destination, cpOptions),
    createReadStream: files.createReadStream,
    createWriteStream: files.createWriteStream,
    lstat: stat as unknown as Fs['lstat'],
    mkdir: tree.mkdir as Fs['mkdir'],
    mkdtemp: tree.mkdtemp as Fs['mkdtemp'],
    open: files.open,
    opendir: tree.opendir,
    readFile: files.readFile as Fs['readFile'],
    readdir: tree.readdir as Fs['readdir'],
    realpath: realpath as Fs['realpath'],
    rename: files.rename,
    rm: tree.rm,
    rmdir: tree.rmdir,
    stat: stat as unknown as Fs['stat'],
    unlink: files.unlink,
    writeFile: files.writeFile as Fs['writeFile'],
    close,
    [Symbol.asyncDispose]: close,
  };
}

function found(client: Client, path: PathLike, call: Call): Observable<Stat> {
  return defer(() => client.find(uriOf(path))).pipe(
    map((entry) => {
      if (entry === undefined) throw new FsError('ENOENT', call);
      return entry;
    }),
  );
}
