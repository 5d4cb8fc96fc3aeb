import type { BigIntStats } from 'node:fs';
import { stateName } from './names.js';

/** Distinguishes the versions of a file: see `ObjectFiles`. */
export function identityOf(stat: BigIntStats): string {
  return `${stat.mtimeNs.toString(36)}-${stat.size.toString(36)}`;
}

/** The path of the file that holds the ETag and metadata of a version. */
export function sidecarPath(directory: string, hash: string, identity: string): string {
  return `${directory}/${stateName}/meta/${hash}-${identity}`;
}
