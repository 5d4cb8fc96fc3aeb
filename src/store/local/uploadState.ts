import { isCount, isString } from '../../shape.js';
import type { ObjectDescription, Layout } from '../objectStore.js';
import { absent, unless, type Disk } from './disk.js';
import { filesOf, stateName } from './names.js';

export interface Info extends ObjectDescription {
  /** The last part of the object's key; the rest depends on the directory that the store was opened at. */
  readonly name: string;
  readonly initiated: number;
  /** All parts are in one file. */
  readonly layout?: Layout;
}

export const uploadsIn = (directory: string): string => `${directory}/${stateName}/uploads`;

export async function readInfo(disk: Disk, path: string): Promise<Info | undefined> {
  if ((await unless(absent, disk.lstat(path)))?.isDirectory() !== true) return undefined;
  const text = await unless(absent, disk.readFile(`${path}/info`));
  return text === undefined ? undefined : parse(text);
}

/** `undefined` if invalid: any process with access to the directory may have written it. */
function parse(text: string): Info | undefined {
  let info: Partial<Info> | null;
  try {
    info = JSON.parse(text) as Partial<Info> | null;
  } catch {
    return undefined;
  }
  const { name, initiated, layout } = info ?? {};
  if (typeof name !== 'string' || name.includes('/')) return undefined;
  if (typeof initiated !== 'number') return undefined;
  if (layout !== undefined && !isLayout(layout)) return undefined;
  return isDescription(info ?? {}) ? (info as Info) : undefined;
}

function isLayout(found: Partial<Layout>): boolean {
  const { size, partSize, etag } = found;
  return isCount(size) && isCount(partSize) && partSize > 0 && typeof etag === 'string';
}

/** Whether what a file says of an object is of the right types. */
export function isDescription({ metadata, content, tags, storageClass }: ObjectDescription): boolean {
  return [metadata, content, tags].every(areTexts) && (storageClass === undefined || isString(storageClass));
}

/** Whether it is `undefined`, or an object whose values are strings. */
function areTexts(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(isString);
}

/** Whether the upload at `path` has become an object: `staged` was moved, or is the same file. */
export async function isUsed(disk: Disk, directory: string, path: string): Promise<boolean> {
  if ((await unless(absent, disk.stat(`${path}/completing`))) === undefined) return false;
  const staged = await unless(absent, disk.lstat(`${path}/staged`));
  if (staged === undefined) return true;
  const part = (await readInfo(disk, path))?.name ?? '';
  for (const candidate of filesOf(directory, part)) {
    const visible = await unless(absent, disk.stat(`${directory}/${candidate}`));
    if (visible?.ino === staged.ino) return true;
  }
  return false;
}
