import type { BigIntStats } from 'node:fs';
import { absent, unless, type Disk } from './disk.js';
import { filesOf, stateName } from './names.js';

/** Distinguishes the versions of a file: see `ObjectFiles`. */
export function versionOf(stat: BigIntStats): string {
  return `${stat.mtimeNs.toString(36)}-${stat.size.toString(36)}`;
}

/** The path of the file that holds the ETag and metadata of a version. */
export function sidecarPath(directory: string, hash: string, version: string): string {
  return `${directory}/${stateName}/meta/${hash}-${version}`;
}

/** Removes the sidecar of a file, unless that file is the object now. */
export async function dropSidecar(disk: Disk, directory: string, path: string, hash: string): Promise<void> {
  const stat = await unless(absent, disk.lstat(path));
  if (stat === undefined) return;
  const sidecar = sidecarPath(directory, hash, versionOf(stat));
  const text = await unless(absent, disk.readFile(sidecar));
  if (text === undefined) return;
  const part = partIn(text);
  for (const candidate of part === undefined ? [] : filesOf(directory, part)) {
    const visible = await unless(absent, disk.stat(`${directory}/${candidate}`));
    if (visible?.ino === stat.ino && versionOf(visible) === versionOf(stat)) return;
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
