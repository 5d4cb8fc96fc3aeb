/** Why an entry of a directory cannot be listed, with its path for messages. */
import { posix } from 'node:path';
import type { BigIntStats } from 'node:fs';
import { StoreError } from '../errors.js';
import type { Unlisted } from '../objectStore.js';
import { absent, unless, type Disk } from './disk.js';
import { toStoreError } from './io.js';
import { stateName } from './names.js';

export function whatIs(stat: BigIntStats): string {
  if (stat.isFIFO()) return 'a pipe';
  return stat.isSocket() ? 'a socket' : 'a device';
}

/** The error of a device, pipe or socket. */
export function noObject(path: string, what: string): StoreError {
  return new StoreError('NotSupported', `${path} is ${what}, and only regular files are objects.`);
}

const unreadable = (key: string, error: StoreError): Unlisted => ({ key, reason: 'unreadable', error });

export function special(key: string, path: string, what: string): Unlisted {
  return unreadable(key, noObject(path, what));
}

/** A name without a key. */
export function notUnicode(key: string, directory: string, bytes: Buffer): Unlisted {
  const shown = [...bytes]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x5c
        ? `\\x${byte.toString(16).padStart(2, '0')}`
        : String.fromCharCode(byte),
    )
    .join('');
  return unreadable(
    key,
    new StoreError(
      'NotSupported',
      `The name ${directory}/${shown} is not UTF-8, and keys are Unicode text. Rename the file.`,
    ),
  );
}

/** Another program's entry with a name reserved for the store. */
export function reserved(key: string, path: string): Unlisted {
  return unreadable(
    key,
    new StoreError(
      'NotSupported',
      `${path} has a name that the store keeps for itself (${stateName} and what is in it). Rename it.`,
    ),
  );
}

/** A link that the options exclude. */
export function linkTo(key: string, path: string, what: string): Unlisted {
  return {
    key,
    reason: 'link',
    error: new StoreError('NotSupported', `${path} is a link to ${what}, and is not followed here.`),
  };
}

export function circle(key: string, path: string, to: string): Unlisted {
  const error = new StoreError('NotSupported', `${path} is a circular link, to ${to}.`);
  return unreadable(key, error);
}

/** A dangling or circular link; `undefined` if it is no longer a link. */
export async function broken(disk: Disk, key: string, path: string): Promise<Unlisted | undefined> {
  const target = await unless([...absent, 'EINVAL'], disk.readMark(path));
  if (target === undefined) return undefined;
  const to = posix.resolve(posix.dirname(path), target);
  const error = new StoreError('NotSupported', `${path} is a link to ${to}, which leads nowhere.`);
  return unreadable(key, error);
}

/** An entry that the file system refused to read. Rethrows other errors. */
export function refused(key: string, path: string, cause: unknown): Unlisted {
  const error = toStoreError(path, cause);
  if (!(error instanceof StoreError)) throw error;
  return unreadable(key, error);
}
