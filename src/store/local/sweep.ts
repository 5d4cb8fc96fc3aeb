import { randomUUID } from 'node:crypto';
import { absent, unless, type Disk } from './disk.js';
import { identityOf, sidecarPath } from './identity.js';
import { filesOf, stateName } from './names.js';
import { isUsed, uploadsIn } from './uploadState.js';

/**
 * Removes what dead processes left unfinished in a directory. A temporary file is named `<owner>~<hash>~<random>`. Unless it
 * became the object, its sidecar is removed first, so that an interrupted sweep can be repeated.
 */
export async function sweep(disk: Disk, directory: string): Promise<void> {
  const tmp = `${directory}/${stateName}/tmp`;
  for (const entry of (await unless(absent, disk.readdir(tmp))) ?? []) {
    const [owner = '', hash = ''] = entry.name.split('~');
    if (disk.alive(owner)) continue;
    const path = `${tmp}/${entry.name}`;
    if (entry.kind === 'directory') {
      await dropSidecar(disk, directory, `${path}/staged`, hash);
      await disk.removeTree(path);
    } else {
      await dropSidecar(disk, directory, path, hash);
      await unless(absent, disk.unlink(path));
    }
  }
  await sweepUploads(disk, directory);
}

/** Removes completed uploads whose process died before it removed them. */
async function sweepUploads(disk: Disk, directory: string): Promise<void> {
  for (const { name } of (await unless(absent, disk.readdir(uploadsIn(directory)))) ?? []) {
    const path = `${uploadsIn(directory)}/${name}`;
    if (!(await isUsed(disk, directory, path))) continue;
    // Moved first: a partially removed upload would look unfinished.
    const gone = `${directory}/${stateName}/tmp/${disk.owner}~~${randomUUID()}`;
    await unless(absent, disk.rename(path, gone));
    await disk.removeTree(gone);
  }
}

/** Removes the sidecar of a file, unless that file is the object now. */
export async function dropSidecar(disk: Disk, directory: string, path: string, hash: string): Promise<void> {
  const stat = await unless(absent, disk.lstat(path));
  if (stat === undefined) return;
  const sidecar = sidecarPath(directory, hash, identityOf(stat));
  const text = await unless(absent, disk.readFile(sidecar));
  if (text === undefined) return;
  const part = partIn(text);
  for (const candidate of part === undefined ? [] : filesOf(directory, part)) {
    const visible = await unless(absent, disk.stat(`${directory}/${candidate}`));
    if (visible?.ino === stat.ino && identityOf(visible) === identityOf(stat)) return;
  }
  await unless(absent, disk.unlink(sidecar));
}

/** The last part of the sidecar's key; `undefined` for a truncated sidecar. */
function partIn(sidecar: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(sidecar);
    return typeof parsed === 'object' && parsed !== null && 'name' in parsed
      ? String(parsed.name)
      : undefined;
  } catch {
    return undefined;
  }
}
