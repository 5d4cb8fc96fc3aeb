import type { Command } from 'commander';
import type { CopyPair, Entry, Progress } from '../../fs/operations/index.js';
import { parseUri } from '../../path/index.js';
import { isStoreError } from '../../store/errors.js';
import { UsageError } from '../exit.js';
import { examples } from '../help.js';
import { below, fixedDirectory, locate, locateTarget, type Located } from '../locate.js';
import { eachMatch } from '../matches.js';
import { pairsOf } from '../pairs.js';
import { reportKept } from '../render/kept.js';
import type { Session, Start } from '../session.js';
import { addSkipping, skippingOf, type SkippingOptions } from '../skipping.js';
import { each, one, taken } from '../wait.js';

interface Options extends SkippingOptions<'files' | 'skip' | 'fail'> {
  /** Commander's name of `--no-clobber`, negated. */
  readonly clobber: boolean;
}

export function mv(program: Command, start: Start): void {
  addSkipping(program.command('mv'), ['files', 'skip', 'fail'])
    .description('moves objects, files and directories: copies, verifies, then deletes')
    .usage('[options] <source...> <target>')
    .argument('<place...>', 'sources (wildcards), then the target')
    .option('-n, --no-clobber', 'what is at the target already stays, and so does its source')
    .addHelpText(
      'after',
      examples(
        ['millrace mv s3://lake/in/a.csv s3://lake/done/', 'under its own name, by the server itself'],
        ['millrace mv s3://lake/2025/ s3://archive/2025/', 'everything in a directory'],
        ["millrace mv 's3://lake/in/*.csv' s3://lake/done/", 'what matches'],
      ) +
        '\n\nAfter an interrupt, everything is at its old place or, whole, at its new one; repeat the command to finish.',
    )
    .action((places: readonly string[], options: Options) =>
      start(async (session) => {
        const [to, from] = [places.at(-1), places.slice(0, -1)];
        if (to === undefined || from.length === 0)
          throw new UsageError(
            'mv takes one or more sources, then the target: millrace mv s3://lake/a.csv s3://lake/done/',
          );
        const { cwd } = session.io;
        const target = await locateTarget(to, cwd);
        const sources = await Promise.all(from.map((place) => locate(place, cwd)));
        const pairs = await pairsOf(session, sources, target, true);
        await move(session, sources, pairs, options);
      }),
    );
}

async function move(
  session: Session,
  sources: readonly Located[],
  pairs: readonly CopyPair[],
  options: Options,
): Promise<void> {
  const { operations, stores, stop } = session;
  const overwrite = options.clobber;
  const skipping = skippingOf(session, options);
  const { Meter } = await import('../render/meter.js');
  using meter = new Meter(session, { doing: 'Moving', done: 'Moved' }, session.out);
  const before = { objects: 0, bytes: 0 };
  const moveOne = async ({ from, to }: CopyPair): Promise<void> => {
    let last: Progress | undefined;
    try {
      await taken(operations.move(from, to, { ...skipping, overwrite }), stop, (progress) => {
        last = progress;
        meter.update(added(before, progress));
      });
    } catch (error) {
      if (overwrite || !isStoreError(error, 'AlreadyExists')) throw error;
      reportKept(session, from);
    }
    before.objects += last?.objects.done ?? 0;
    before.bytes += last?.bytes.done ?? 0;
  };
  await each(session, pairs, async (pair, i) => {
    const source = sources[i];
    // With --no-clobber, the objects of a directory are moved one by one.
    const isDirectory = source?.glob === undefined && pair.from.endsWith('/');
    if (source === undefined || (source.glob === undefined && (overwrite || !isDirectory)))
      return moveOne(pair);
    const base = isDirectory ? parseUri(pair.from).key : fixedDirectory(source.key);
    const isFound = (key: string): boolean => source.glob?.matches(key) ?? key.startsWith(base);
    const { placeOf } = await import('../../fs/operations/place.js');
    const { foundAgain, relationOf } = await import('../../fs/operations/relation.js');
    const [place, target] = [placeOf(stores, source.uri), placeOf(stores, pair.to)];
    const relation = await one(relationOf(place, base, target, target.key), stop);
    const moveAll = async (page: readonly Entry[]): Promise<void> => {
      const rests = page.map(({ uri }) => parseUri(uri).key.slice(base.length));
      // Moved objects must not be found again later in the same listing.
      const again = rests.map((rest) => foundAgain(relation, base, rest));
      if (again.some((key) => key !== undefined && isFound(key)))
        throw new UsageError(
          `${source.display} would match the moved objects again. Move to a target outside of it.`,
        );
      const moves = page.map(({ uri: from }, at) => ({
        from,
        to: below({ uri: pair.to }, rests[at] ?? ''),
      }));
      await each(session, moves, moveOne);
    };
    await eachMatch(session, { ...source, uri: pair.from }, moveAll, { links: 'files', ...skipping });
  });
  meter.end();
}

function added(before: { readonly objects: number; readonly bytes: number }, progress: Progress): Progress {
  const { objects, bytes, uri } = progress;
  return {
    objects: { done: before.objects + objects.done, ...total(before.objects, objects.total) },
    bytes: { done: before.bytes + bytes.done, ...total(before.bytes, bytes.total) },
    uri,
  };
}

/** The total is only known during the first move. */
function total(before: number, of: number | undefined): { readonly total?: number } {
  return of === undefined || before > 0 ? {} : { total: of };
}
