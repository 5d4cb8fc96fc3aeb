import type { ContentHeaders, Metadata } from '../objectStore.js';
import { absent, unless, type Disk } from './disk.js';
import { filesOf, stateName } from './names.js';

export interface Info {
  /** The last part of the object's key; the rest depends on the directory that the store was opened at. */
  readonly name: string;
  readonly initiated: number;
  readonly metadata?: Metadata;
  readonly content?: ContentHeaders;
}

export const uploadsIn = (directory: string): string => `${directory}/${stateName}/uploads`;

export async function readInfo(disk: Disk, path: string): Promise<Info | undefined> {
  const text = await unless(absent, disk.readFile(`${path}/info`));
  return text === undefined ? undefined : (JSON.parse(text) as Info);
}

/** Whether the upload at `path` has become an object: `staged` has moved there, or is the same file. */
export async function isUsed(disk: Disk, directory: string, path: string): Promise<boolean> {
  if ((await unless(absent, disk.stat(`${path}/completing`))) === undefined) return false;
  const staged = await unless(absent, disk.stat(`${path}/staged`));
  if (staged === undefined) return true;
  const part = (await readInfo(disk, path))?.name ?? '';
  for (const candidate of filesOf(directory, part)) {
    const visible = await unless(absent, disk.stat(`${directory}/${candidate}`));
    if (visible?.ino === staged.ino) return true;
  }
  return false;
}
