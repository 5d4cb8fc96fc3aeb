import type { BigIntStats } from 'node:fs';
import { stateName } from './names.js';

/** What tells one version of a file from all others that had its name: see `ObjectFiles`. */
export function identityOf(stat: BigIntStats): string {
  return `${stat.mtimeNs.toString(36)}-${stat.size.toString(36)}`;
}

/** Where ETag and metadata of a version are. */
export function sidecarPath(directory: string, hash: string, identity: string): string {
  return `${directory}/${stateName}/meta/${hash}-${identity}`;
}
