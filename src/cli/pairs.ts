/**
 * The sources and targets of `cp` and `mv`:
 *
 * - An object gets the target's name; if the target is a directory (it ends in a slash, is a whole bucket, or an existing local
 *   directory), the object keeps its name in it.
 * - The content of a directory is copied into the target, so repeating the command has the same result. Matches of a pattern
 *   keep their path after the last fixed slash.
 * - Of several sources, each keeps its name in the target, including directories.
 */
import type { CopyPair } from '../fs/operations/index.js';
import { UsageError } from './exit.js';
import { asDirectory, below, lastName, namesDirectory, type Located } from './locate.js';
import type { Session } from './session.js';
import { one } from './wait.js';

/** One pair for each source. `recursive`: whether directories are allowed. Errors: `Usage`, `NotFound`. */
export async function pairsOf(
  session: Pick<Session, 'operations' | 'stop'>,
  sources: readonly Located[],
  target: Located,
  recursive: boolean,
): Promise<CopyPair[]> {
  const several = sources.length > 1;
  const names = new Map<string, string>();
  const pairs: CopyPair[] = [];
  for (const source of sources) {
    const pair = await pairOf(session, source, target, several, recursive);
    const other = names.get(pair.to);
    if (several && source.glob === undefined && other !== undefined)
      throw new UsageError(
        `${other} and ${source.display} would have the same name in ${target.display}. Copy them separately.`,
      );
    names.set(pair.to, source.display);
    pairs.push(pair);
  }
  return pairs;
}

async function pairOf(
  { operations, stop }: Pick<Session, 'operations' | 'stop'>,
  source: Located,
  target: Located,
  several: boolean,
  recursive: boolean,
): Promise<CopyPair> {
  const from = source.uri;
  if (source.glob !== undefined) return { from, to: asDirectory(target.uri) };
  const isDirectory = namesDirectory(source) || (await one(operations.stat(from), stop)).kind === 'directory';
  const name = lastName(source.key);
  if (!isDirectory) {
    return { from, to: several || namesDirectory(target) ? below(target, name) : target.uri };
  }
  if (!recursive)
    throw new UsageError(`${source.display} is a directory. Add --recursive to copy everything in it.`);
  if (several && name === '')
    throw new UsageError(
      `${source.display} has no name to copy it to in ${target.display}. Copy it separately.`,
    );
  return { from: asDirectory(from), to: asDirectory(several ? below(target, name) : target.uri) };
}
