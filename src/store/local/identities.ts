import { posix } from 'node:path';
import type { BigIntStats } from 'node:fs';
import type { Observable } from 'rxjs';
import type { DirectoryIdentity, Identities } from '../services.js';
import { absent, nodeDisk, unless } from './disk.js';
import { io } from './io.js';
import { filesOf } from './names.js';
import { Tree } from './tree.js';

/** Identifies the files and directories of keys by device and inode, regardless of links and mounts. */
export function localIdentities(root: string): Identities {
  const disk = nodeDisk(false);
  const tree = new Tree(root === '/' ? '' : root, disk);
  return {
    object: (key: string): Observable<string | undefined> =>
      io(root, async () => {
        for (const { directory, part } of await tree.find(key))
          for (const file of filesOf(directory, part)) {
            const stat = await unless(absent, disk.stat(`${directory}/${file}`));
            if (stat?.isFile() === true) return idOf(stat);
          }
        return undefined;
      }),
    directory: (key: string): Observable<DirectoryIdentity> =>
      io(root, async () => {
        const { path, missing } = await tree.nearest(key);
        const within: { id: string; name: string }[] = [];
        let real = await unless(absent, disk.realpath(path === '' ? '/' : path));
        while (real !== undefined) {
          const stat = await unless(absent, disk.stat(real));
          if (stat !== undefined) within.push({ id: idOf(stat), name: posix.basename(real) });
          real = real === '/' ? undefined : posix.dirname(real);
        }
        return { within, missing };
      }),
  };
}

function idOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
