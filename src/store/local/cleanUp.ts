import { randomUUID } from 'node:crypto';
import { absent, unless, type Disk } from './disk.js';
import { stateName } from './names.js';
import { dropSidecar } from './sidecar.js';
import { isUsed, uploadsIn } from './uploadState.js';

/**
 * Removes what dead processes left unfinished in a directory. A temporary file is named `<owner>~<hash>~<random>`. Unless it
 * became the object, its sidecar is removed first, so that an interrupted clean-up can be repeated.
 */
export async function cleanUp(disk: Disk, directory: string): Promise<void> {
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
  await removeCompleted(disk, directory);
}

/** Removes completed uploads whose process died before it removed them. */
async function removeCompleted(disk: Disk, directory: string): Promise<void> {
  for (const { name } of (await unless(absent, disk.readdir(uploadsIn(directory)))) ?? []) {
    const path = `${uploadsIn(directory)}/${name}`;
    if (!(await isUsed(disk, directory, path))) continue;
    // Moved first: a partially removed upload would look unfinished.
    const gone = `${directory}/${stateName}/tmp/${disk.owner}~~${randomUUID()}`;
    await unless(absent, disk.rename(path, gone));
    await disk.removeTree(gone);
  }
}
