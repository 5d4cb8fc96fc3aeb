import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { constants, readFileSync, type BigIntStats, type Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { TakeBytes } from '../objectStore.js';
import { SharedSyncs } from './sharedSyncs.js';

export interface DirectoryEntry {
  /** Invalid UTF-8 is replaced by U+FFFD. */
  readonly name: string;
  /** `other`: a pipe, socket or device. */
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  /** The raw name, if it is not UTF-8. No string is a path to it. */
  readonly bytes?: Buffer;
}

/**
 * The file system operations of the local store, one step per method, so that tests can crash it between any two. Errors
 * are Node's own.
 */
export interface Disk {
  /** Identifies the owner of temporary files and locks: unique to this process, or to a simulated one in tests. */
  readonly owner: string;
  /** Whether the owner's process is alive. */
  alive(owner: string): boolean;
  stat(path: string): Promise<BigIntStats>;
  lstat(path: string): Promise<BigIntStats>;
  realpath(path: string): Promise<string>;
  readdir(path: string): Promise<DirectoryEntry[]>;
  /** Of a file of the store's own: `ELOOP` if it is a link. */
  readFile(path: string): Promise<string>;
  open(path: string): Promise<fs.FileHandle>;
  mkdir(path: string): Promise<void>;
  /** Creates a file. `EEXIST` if it exists. */
  create(path: string, body: Uint8Array | string): Promise<void>;
  /** Creates a file that survives a power failure, with a modification time in milliseconds if one is given. `EEXIST` if it exists. */
  write(path: string, body: Uint8Array | string, modified?: number): Promise<BigIntStats>;
  /** A new file of `size` zero bytes. */
  allocate(path: string, size: number): Promise<void>;
  /** Runs `work`, which writes at positions of a file of the store's own; `ELOOP` if it is a link. What it wrote survives a power failure. */
  fill(path: string, work: (write: TakeBytes) => Promise<void>): Promise<void>;
  /** A new file of the bytes of others, copied piece by piece; `ELOOP` if one is a link. */
  concat(path: string, sources: readonly string[]): Promise<void>;
  /** Of a link itself. */
  touch(path: string, milliseconds: number): Promise<void>;
  /** Makes a file's bytes, or a directory's entries, survive a power failure. */
  sync(path: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  removeTree(path: string): Promise<void>;
  /** Creates a symbolic link with `text` as its target: atomic and exclusive. */
  mark(text: string, path: string): Promise<void>;
  readMark(path: string): Promise<string>;
}

const copySize = 1 << 20;

/** What has become a pipe meanwhile would be waited for. */
const atOnce = constants.O_RDONLY | constants.O_NONBLOCK;
/** Nobody lays out the store's own files with links. */
const ownFile = atOnce | constants.O_NOFOLLOW;
const ownFileToFill = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** The real file system. With `durable: false`, what survives `kill -9` may still be lost to a power failure. */
export function nodeDisk(durable: boolean): Disk {
  const syncs = new SharedSyncs(async (path) => {
    await using file = await fs.open(path, atOnce);
    await file.sync();
  });
  return {
    owner: thisProcess,
    alive: isAlive,
    stat: (path) => fs.stat(path, { bigint: true }),
    lstat: (path) => fs.lstat(path, { bigint: true }),
    realpath: (path) => fs.realpath(path),
    readdir,
    readFile: (path) => fs.readFile(path, { encoding: 'utf8', flag: ownFile }),
    open: (path) => fs.open(path, atOnce),
    mkdir: async (path) => {
      await fs.mkdir(path);
    },
    create: (path, body) => fs.writeFile(path, body, { flag: 'wx' }),
    write: async (path, body, modified) => {
      await using file = await fs.open(path, 'wx');
      await file.writeFile(body);
      if (modified !== undefined) await file.utimes(modified / 1000, modified / 1000);
      const stat = await file.stat({ bigint: true });
      if (durable) await file.sync();
      return stat;
    },
    allocate: async (path, size) => {
      await using file = await fs.open(path, 'wx');
      await file.truncate(size);
    },
    fill: async (path, work) => {
      await using file = await fs.open(path, ownFileToFill);
      await work((chunks, position) => writeAll(file, chunks, position));
      if (durable) await file.datasync();
    },
    concat: async (path, sources) => {
      await using to = await fs.open(path, 'wx');
      const buffer = Buffer.allocUnsafeSlow(copySize);
      for (const source of sources) {
        await using from = await fs.open(source, ownFile);
        for (;;) {
          const { bytesRead } = await from.read(buffer, 0, copySize);
          if (bytesRead === 0) break;
          await to.appendFile(buffer.subarray(0, bytesRead));
        }
      }
    },
    touch: (path, milliseconds) => fs.lutimes(path, milliseconds / 1000, milliseconds / 1000),
    sync: (path) => (durable ? syncs.sync(path) : Promise.resolve()),
    link: (from, to) => fs.link(from, to),
    rename: (from, to) => fs.rename(from, to),
    unlink: (path) => fs.unlink(path),
    removeTree: (path) => fs.rm(path, { recursive: true, force: true }),
    mark: (text, path) => fs.symlink(text, path),
    readMark: (path) => fs.readlink(path),
  };
}

async function writeAll(file: fs.FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  const size = chunks.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await file.writev(chunks, position);
  if (bytesWritten === size) return;
  // A full disk, for one, takes a part, and tells why of the rest.
  let rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let at = position + bytesWritten; rest.length > 0;) {
    const written = await file.write(rest, 0, rest.length, at);
    at += written.bytesWritten;
    rest = rest.subarray(written.bytesWritten);
  }
}

async function readdir(path: string): Promise<DirectoryEntry[]> {
  const entries = await fs.readdir(path, { withFileTypes: true });
  if (!entries.some(({ name }) => name.includes('\ufffd')))
    return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  const raw = await fs.readdir(path, { withFileTypes: true, encoding: 'buffer' });
  return raw.map((entry) => ({
    name: entry.name.toString(),
    kind: kindOf(entry),
    ...(isUtf8(entry.name) ? {} : { bytes: entry.name }),
  }));
}

function kindOf(entry: Dirent<string | Buffer>): DirectoryEntry['kind'] {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

/** The system's code of an error, such as `ENOENT`. */
export function errno(error: unknown): string | undefined {
  // Not with `instanceof`: in a test runner, file system errors come from another realm.
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The result, or `undefined` if it fails with one of these codes. */
export async function unless<T>(codes: readonly string[], step: Promise<T>): Promise<T | undefined> {
  try {
    return await step;
  } catch (error) {
    if (codes.includes(errno(error) ?? '')) return undefined;
    throw error;
  }
}

/** The result of `work`. If it fails, `undo` reverts it; if that fails, a later clean-up removes the rest. */
export async function orUndone<T>(work: () => Promise<T>, undo: () => Promise<unknown>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await undo().catch(() => undefined);
    throw error;
  }
}

/** The error codes of a path without a file, including circular links. */
export const absent: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP'];

const startOf = (pid: number): string => {
  try {
    // Field 22 of /proc/<pid>/stat, counted after the command, which may contain spaces: distinguishes a process from a
    // later one with the same id. Without /proc, only the id is used.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
};

const thisProcess = `${process.pid}.${startOf(process.pid)}.${randomUUID().slice(0, 8)}`;

function isAlive(owner: string): boolean {
  const [pid = '', start = ''] = owner.split('.');
  if (owner === thisProcess) return true;
  const id = Number(pid);
  if (!Number.isInteger(id) || id <= 0) return false;
  // The same process id with another owner: an earlier process, or another copy of this module in this process.
  try {
    process.kill(id, 0);
  } catch (error) {
    return errno(error) === 'EPERM';
  }
  return startOf(id) === start;
}
