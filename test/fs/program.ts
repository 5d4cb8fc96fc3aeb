import type * as node from 'node:fs/promises';
import { constants, lstatSync, readdirSync, statSync } from 'node:fs';
import fc from 'fast-check';

/** The functions that both file systems have, with Node's types. */
export type Common = Pick<
  typeof node,
  | 'access'
  | 'copyFile'
  | 'cp'
  | 'mkdir'
  | 'readFile'
  | 'readdir'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'stat'
  | 'unlink'
  | 'writeFile'
> & {
  open(path: string, flags: string): Promise<Handle>;
  opendir(path: string): Promise<AsyncIterable<{ name: string; isFile(): boolean; isDirectory(): boolean }>>;
};

interface Handle {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesRead: number; buffer: Buffer }>;
  write(data: string): Promise<{ bytesWritten: number }>;
  readFile(encoding: 'latin1'): Promise<string | Buffer>;
  writeFile(data: string): Promise<void>;
  stat(): Promise<{ size: number; isFile(): boolean }>;
  close(): Promise<void>;
}

/** One call, on paths below a root. */
export type Command =
  | { readonly op: 'write'; readonly path: string; readonly text: string; readonly flag: 'w' | 'wx' }
  | { readonly op: 'read'; readonly path: string; readonly encoding: 'utf8' | 'hex' | null }
  | {
      readonly op: 'handle';
      readonly path: string;
      readonly reads: readonly (readonly [number, number | null])[];
    }
  | {
      readonly op: 'pieces';
      readonly path: string;
      readonly flag: 'w' | 'wx';
      readonly pieces: readonly string[];
    }
  | { readonly op: 'stat' | 'access' | 'unlink' | 'rmdir' | 'opendir'; readonly path: string }
  | { readonly op: 'readdir'; readonly path: string; readonly recursive: boolean; readonly types: boolean }
  | { readonly op: 'mkdir'; readonly path: string; readonly recursive: boolean }
  | { readonly op: 'rm'; readonly path: string; readonly recursive: boolean; readonly force: boolean }
  | { readonly op: 'rename'; readonly path: string; readonly to: string }
  | { readonly op: 'copyFile'; readonly path: string; readonly to: string; readonly exclusive: boolean }
  | {
      readonly op: 'cp';
      readonly path: string;
      readonly to: string;
      readonly recursive: boolean;
      readonly force: boolean;
      readonly errorOnExist: boolean;
      readonly filter: boolean;
    };

// Few names, so that they meet.
const name = fc.constantFrom('a', 'b', 'c d', 'é', 'x*?[1]#%41');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'grapheme', maxLength: 5 }));
const flag = fc.constantFrom('w' as const, 'wx' as const);
const yes = fc.boolean();

export const command: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: fc.record({ op: fc.constant('write' as const), path, text, flag }), weight: 4 },
  { arbitrary: fc.record({ op: fc.constant('mkdir' as const), path, recursive: yes }), weight: 4 },
  fc.record({ op: fc.constant('read' as const), path, encoding: fc.constantFrom('utf8', 'hex', null) }),
  fc.record({
    op: fc.constant('handle' as const),
    path,
    reads: fc.array(fc.tuple(fc.nat(12), fc.option(fc.nat(25))), { maxLength: 4 }),
  }),
  fc.record({ op: fc.constant('pieces' as const), path, flag, pieces: fc.array(text, { maxLength: 3 }) }),
  fc.record({ op: fc.constantFrom('stat', 'access', 'unlink', 'rmdir', 'opendir'), path }),
  fc.record({ op: fc.constant('readdir' as const), path, recursive: yes, types: yes }),
  fc.record({ op: fc.constant('rm' as const), path, recursive: yes, force: yes }),
  { arbitrary: fc.record({ op: fc.constant('rename' as const), path, to: path }), weight: 2 },
  fc.record({ op: fc.constant('copyFile' as const), path, to: path, exclusive: yes }),
  fc.record({
    op: fc.constant('cp' as const),
    path,
    to: path,
    recursive: yes,
    force: yes,
    errorOnExist: yes,
    filter: yes,
  }),
);

/** The outcome of a call: its result, or the code of its error. */
export async function perform(fs: Common, at: (path: string) => string, command: Command): Promise<unknown> {
  try {
    return { result: await resultOf(fs, at, command) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { code };
  }
}

async function resultOf(fs: Common, at: (path: string) => string, command: Command): Promise<unknown> {
  const where = at(command.path);
  switch (command.op) {
    case 'write':
      return fs.writeFile(where, command.text, { flag: command.flag });
    case 'read':
      return fs.readFile(where, command.encoding);
    case 'handle': {
      const handle = await fs.open(where, 'r');
      try {
        const out: unknown[] = [];
        const { size } = await handle.stat();
        out.push(size);
        for (const [length, position] of command.reads) {
          const { bytesRead, buffer } = await handle.read(Buffer.alloc(12), 0, length, position);
          out.push(buffer.toString('latin1', 0, bytesRead));
        }
        out.push(await handle.readFile('latin1'));
        return out;
      } finally {
        await handle.close();
      }
    }
    case 'pieces': {
      const handle = await fs.open(where, command.flag);
      const counts: number[] = [];
      try {
        for (const piece of command.pieces) counts.push((await handle.write(piece)).bytesWritten);
        await handle.writeFile('end');
      } finally {
        await handle.close();
      }
      return counts;
    }
    case 'stat': {
      const stats = await fs.stat(where);
      return stats.isDirectory() ? 'directory' : [stats.isFile(), stats.size, stats.isSymbolicLink()];
    }
    case 'access':
      return fs.access(where, constants.R_OK);
    case 'unlink':
      return fs.unlink(where);
    case 'rmdir':
      return fs.rmdir(where);
    case 'opendir': {
      const names: string[] = [];
      for await (const entry of await fs.opendir(where)) names.push(`${entry.name} ${entry.isDirectory()}`);
      return names.sort();
    }
    case 'readdir': {
      const { recursive, types } = command;
      if (!types) return (await fs.readdir(where, { recursive })).sort();
      const entries = await fs.readdir(where, { recursive, withFileTypes: true });
      const shown = (entry: { name: string; parentPath: string; isFile(): boolean }): string =>
        `${entry.parentPath.slice(at('').length - 1).replace(/\/$/, '')} ${entry.name} ${entry.isFile()}`;
      return entries.map(shown).sort();
    }
    case 'mkdir': {
      const made = await fs.mkdir(where, { recursive: command.recursive });
      return made?.slice(at('').length);
    }
    case 'rm':
      return fs.rm(where, { recursive: command.recursive, force: command.force });
    case 'rename':
      return fs.rename(where, at(command.to));
    case 'copyFile':
      return fs.copyFile(where, at(command.to), command.exclusive ? constants.COPYFILE_EXCL : 0);
    case 'cp': {
      const { recursive, force, errorOnExist, filter } = command;
      const only = filter ? { filter: (source: string) => !source.endsWith('b') } : {};
      return fs.cp(where, at(command.to), { recursive, force, errorOnExist, ...only });
    }
  }
}

/**
 * Whether files and objects are to do the same, by what is on disk. They differ where docs/fs.md says so: writing needs no
 * directory, an object and a directory can have one name, and below an object there may be others.
 */
export function comparable(command: Command, disk: (path: string) => string): boolean {
  const parents = (path: string): string[] =>
    path
      .split('/')
      .slice(0, -1)
      .map((_, i, names) => names.slice(0, i + 1).join('/'));
  const belowFile = (path: string): boolean => parents(path).some((above) => kind(disk(above)) === 'file');
  const inDirectory = (path: string): boolean =>
    parents(path).every((above) => kind(disk(above)) === 'directory');
  if (command.op !== 'mkdir' && belowFile(command.path)) return false;
  switch (command.op) {
    case 'write':
    case 'pieces':
      return inDirectory(command.path) && kind(disk(command.path)) !== 'directory';
    case 'mkdir':
      return command.recursive || inDirectory(command.path);
    case 'rename':
      return inDirectory(command.to);
    case 'copyFile':
      // Copying a directory fails on both; on disk it removes a file that was there.
      if (kind(disk(command.path)) === 'directory' && kind(disk(command.to)) === 'file') return false;
      return inDirectory(command.to) && kind(disk(command.to)) !== 'directory';
    case 'cp':
      return inDirectory(command.to) && !clash(disk(command.path), disk(command.to));
    default:
      return true;
  }
}

/** Whether copying a tree over another puts a directory where a file is, or a file where a directory is. */
function clash(from: string, to: string): boolean {
  if (kind(from) !== 'directory' || kind(to) !== 'directory') return false;
  return readdirSync(from).some((name) => {
    const [one, other] = [`${from}/${name}`, `${to}/${name}`];
    return (kind(other) !== 'none' && kind(one) !== kind(other)) || clash(one, other);
  });
}

function kind(path: string): 'file' | 'directory' | 'none' {
  try {
    lstatSync(path);
  } catch {
    return 'none';
  }
  return statSync(path).isDirectory() ? 'directory' : 'file';
}

/** All directories, and all files with their content. */
export async function snapshot(fs: Common, root: string): Promise<string[]> {
  const entries = await fs.readdir(root, { recursive: true, withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = `${entry.parentPath.replace(/\/$/, '')}/${entry.name}`;
      const content = entry.isFile() ? await fs.readFile(path, 'latin1') : 'directory';
      const below = path.slice(root.replace(/\/$/, '').length);
      return `${root.includes('://') ? decodeURIComponent(below) : below}: ${content}`;
    }),
  );
  return found.sort();
}

/** A URI of names as they are. */
export function encoded(uri: string): string {
  const [, start = '', rest = ''] = /^([a-z0-9]+:\/\/[^/]*\/)([^]*)$/.exec(uri) ?? [];
  return start + rest.split('/').map(encodeURIComponent).join('/');
}
