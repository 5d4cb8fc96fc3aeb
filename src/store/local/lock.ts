/**
 * A lock between processes that share a directory. It is released when its process dies.
 *
 * Turns are numbered. The lock is a directory of marks: `n` names the owner of turn n, and is renamed to `n.free` when the
 * turn is over. A process that finds the highest turn free, or its owner dead, creates the next mark, which only one process
 * can. If it read the directory long ago, that turn may already be over; so it reads again, and withdraws if there is a
 * higher mark or the same one is free. Marks are removed many turns later, so this second read cannot miss them.
 */
import { StoreError } from '../errors.js';
import { errno, unless, type DirectoryEntry, type Disk } from './disk.js';

const patience = 10_000;
const keep = 32;

/** The lock could not be acquired in time. Nothing was done. */
export class LockBusy extends Error {}

/** Runs `work` while holding the lock at `path`, whose parent directory exists. */
export async function locked<T>(disk: Disk, path: string, work: () => Promise<T>): Promise<T> {
  // Within the process, a queue is cheaper and fair.
  const queueId = `${disk.owner} ${path}`;
  const before = queues.get(queueId) ?? Promise.resolve();
  const mine = before.then(async () => {
    const turn = await acquire(disk, path);
    try {
      return await work();
    } finally {
      await release(disk, `${path}/${turn}`);
    }
  });
  const settled = mine.then(nothing, nothing);
  queues.set(queueId, settled);
  void settled.then(() => {
    if (queues.get(queueId) === settled) queues.delete(queueId);
  });
  return mine;
}

const queues = new Map<string, Promise<void>>();
const nothing = (): void => undefined;

/** A full disk must not keep the lock held, so the fallback needs no space. */
async function release(disk: Disk, mark: string): Promise<void> {
  try {
    await disk.rename(mark, `${mark}.free`);
  } catch {
    await unless(['ENOENT'], disk.unlink(mark));
  }
}

async function acquire(disk: Disk, path: string): Promise<number> {
  const started = performance.now();
  if ((await unless(['ENOENT'], disk.lstat(path)))?.isSymbolicLink() === true) throw notALock(path);
  for (let pause = 1; ; pause = Math.min(pause * 2, 20)) {
    const turn = await attempt(disk, path);
    if (turn !== undefined) return turn;
    if (performance.now() - started > patience)
      throw new LockBusy(`The lock ${path} is held by another process.`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function attempt(disk: Disk, path: string): Promise<number | undefined> {
  const marks = await look(disk, path);
  const highest = top(marks);
  if (highest !== undefined && !(await isOver(disk, path, marks, highest))) return undefined;
  const turn = (highest ?? 0) + 1;
  try {
    await disk.mark(disk.owner, `${path}/${turn}`);
  } catch (error) {
    if (errno(error) === 'EEXIST') return undefined;
    throw error;
  }
  const now = await look(disk, path);
  if ((top(now) ?? 0) > turn || now.includes(`${turn}.free`)) {
    await unless(['ENOENT'], disk.unlink(`${path}/${turn}`));
    return undefined;
  }
  for (const mark of now)
    if (parseInt(mark, 10) < turn - keep) await unless(['ENOENT'], disk.unlink(`${path}/${mark}`));
  return turn;
}

async function look(disk: Disk, path: string): Promise<string[]> {
  let entries: readonly DirectoryEntry[] | undefined;
  try {
    entries = await unless(['ENOENT'], disk.readdir(path));
  } catch (error) {
    throw errno(error) === 'ENOTDIR' ? notALock(path, error) : error;
  }
  if (entries === undefined) {
    await unless(['EEXIST'], disk.mkdir(path));
    return [];
  }
  return entries.map(({ name }) => name).filter((name) => isMark.test(name));
}

/** Files with other names belong to other programs. Longer numbers would not be exact. */
const isMark = /^[1-9]\d{0,14}(\.free)?$/;

function notALock(path: string, cause?: unknown): StoreError {
  return new StoreError(
    'InvalidRequest',
    `${path} is not a directory: another program has put it where this store keeps its locks. Remove it.`,
    cause === undefined ? {} : { cause },
  );
}

function top(marks: readonly string[]): number | undefined {
  return marks.length === 0 ? undefined : Math.max(...marks.map((mark) => parseInt(mark, 10)));
}

async function isOver(disk: Disk, path: string, marks: readonly string[], turn: number): Promise<boolean> {
  if (marks.includes(`${turn}.free`)) return true;
  const mark = `${path}/${turn}`;
  try {
    const owner = await unless(['ENOENT'], disk.readMark(mark));
    return owner !== undefined && !disk.alive(owner);
  } catch (error) {
    // Not a link, so none of our processes made it.
    if (errno(error) === 'EINVAL') return true;
    throw error;
  }
}
