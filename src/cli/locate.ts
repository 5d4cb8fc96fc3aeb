/**
 * Resolves the arguments of commands.
 *
 * An argument with a scheme is a URI, as in the library: its key is percent-decoded, and wildcards are active unless
 * percent-encoded. Any other argument is a local path. Its wildcards are active only if no file has exactly this name, so that
 * names expanded by a shell stay literal. A local directory needs no trailing slash. `-` is standard input or output.
 */
import { stat } from 'node:fs/promises';
import { posix, resolve } from 'node:path';
import {
  compileUriGlob,
  fileUri,
  filePath,
  hideUserInfo,
  splitUri,
  type Glob,
  type Scheme,
} from '../path/index.js';
import { decodeKey, encodePart } from '../path/uri.js';
import { StoreError } from '../store/errors.js';
import { UsageError } from './exit.js';
import { readable } from './render/text.js';

/** The place of an argument. */
export interface Located {
  /** For the library; may hold the user info of `s3x://`. */
  readonly uri: string;
  /** For people: the argument, without secrets. */
  readonly display: string;
  readonly scheme: Scheme;
  /** Decoded; for a glob, the fixed prefix before its first wildcard. */
  readonly key: string;
  /** Only with wildcards. */
  readonly glob?: Glob;
  /** An existing local directory, possibly empty. */
  readonly localDirectory?: true;
}

/** Standard input or output. */
export const standard = '-';

const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i;

/** A URI that lacks a slash, which as a local path would be in the directory `s3:`. */
const nearlyUri = /^(s3a?|s3x|file|memory):(?!\/\/)\/?(.*)$/is;

function refuseNearlyUri(argument: string): void {
  const [, scheme = '', rest] = nearlyUri.exec(argument) ?? [];
  if (rest === undefined) return;
  const shown = readable(hideUserInfo(`${scheme}://${scheme.toLowerCase() === 'file' ? '/' : ''}${rest}`));
  throw new UsageError(`A URI has two slashes after its scheme: ${shown}. A local path starts with ./`);
}

/** Resolves an argument. Errors: `InvalidUri`, `UnknownScheme`, `InvalidGlob`, `Usage`. */
export async function locate(argument: string, cwd: string): Promise<Located> {
  if (withScheme.test(argument)) {
    const located = ofUri(argument, readable(hideUserInfo(argument)));
    if (located.scheme !== 'file' || located.glob !== undefined) return located;
    return (await isDirectory(filePath(argument))) === true ? directory(located) : located;
  }
  const there = await isDirectory(resolve(cwd, argument));
  if (there === undefined) refuseNearlyUri(argument);
  if (there === undefined && /[*?[{\\]/.test(argument)) return ofUri(patternUri(argument, cwd), argument);
  const located = ofUri(fileUri(argument, cwd), argument);
  return there === true ? directory(located) : located;
}

/** Resolves the argument of a target, without wildcards. Errors: `InvalidUri`, `UnknownScheme`, `Usage`. */
export async function locateTarget(argument: string, cwd: string): Promise<Located> {
  if (withScheme.test(argument)) return single(await locate(argument, cwd));
  const there = await isDirectory(resolve(cwd, argument));
  if (there === undefined) refuseNearlyUri(argument);
  const located = ofUri(fileUri(argument, cwd), argument);
  return there === true ? directory(located) : located;
}

/** The URI of a key below a directory. */
export function below({ uri }: Pick<Located, 'uri'>, name: string): string {
  return `${asDirectory(uri)}${name.split('/').map(encodePart).join('/')}`;
}

/** The URI with a trailing slash. */
export function asDirectory(uri: string): string {
  return uri.endsWith('/') ? uri : `${uri}/`;
}

/** Whether the key is a directory's. */
export function namesDirectory({ key }: Pick<Located, 'key'>): boolean {
  return key === '' || key.endsWith('/');
}

/** The last name of a key, without a trailing slash. */
export function lastName(key: string): string {
  const bare = key.replace(/\/$/, '');
  return bare.slice(bare.lastIndexOf('/') + 1);
}

/** The directory of all matches of a glob, by its fixed prefix. */
export function fixedDirectory(fixed: string): string {
  return fixed.slice(0, fixed.lastIndexOf('/') + 1);
}

/** Adds the user info of the argument to the URI of an entry found with it. */
export function reached(uri: string, { uri: by }: Pick<Located, 'uri'>): string {
  const [, user] = /^s3x:\/\/([^/]*@)/i.exec(by) ?? [];
  return user === undefined ? uri : uri.replace(/^s3x:\/\//i, (scheme) => scheme + user);
}

/** The error of a command whose glob matches nothing. */
export function noMatch({ display }: Pick<Located, 'display'>): StoreError {
  return new StoreError('NotFound', `Nothing matches ${display}.`);
}

/** Throws `Usage` for a glob: the command takes a single place. */
export function single(located: Located): Located {
  if (located.glob === undefined) return located;
  throw new UsageError(
    `${located.display} has wildcards, which this command does not take. Percent-encode those that belong to a name: %2A is a star.`,
  );
}

function ofUri(uri: string, display: string): Located {
  const { scheme, key } = splitUri(uri);
  const glob = compileUriGlob(key);
  if (glob.wild) return { uri, display, scheme, key: glob.prefix, glob };
  return { uri, display, scheme, key: decodeKey(key) };
}

function directory(located: Located): Located {
  const key = namesDirectory(located) ? located.key : `${located.key}/`;
  return { ...located, uri: asDirectory(located.uri), key, localDirectory: true };
}

/** `undefined`: it does not exist. */
async function isDirectory(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // Other errors are reported by the store later.
    return undefined;
  }
}

/** Converts a path to a URI, keeping wildcards and backslashes. */
function patternUri(pattern: string, cwd: string): string {
  const names = pattern.split('/').map((name) => name.replace(/[^*?[\]{},\\!-]+/g, encodePart));
  const base = pattern.startsWith('/') ? '' : fileUri(cwd).slice('file://'.length);
  return `file://${posix.normalize(`${base}/${names.join('/')}`)}`;
}
