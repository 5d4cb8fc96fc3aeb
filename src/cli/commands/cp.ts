import type { Command } from 'commander';
import { Interrupted, Reported, UsageError } from '../exit.js';
import { examples } from '../help.js';
import { locate, locateTarget, namesDirectory, standard } from '../locate.js';
import { mustMatch } from '../matches.js';
import { pairsOf } from '../pairs.js';
import { keptTargets, reportKept } from '../render/kept.js';
import type { Session, Start } from '../session.js';
import { addSkipping, skippingOf, type SkippingOptions } from '../skipping.js';
import { each, taken } from '../wait.js';
import { catAll } from './cat.js';
import { writeStandardInput } from '../standardInput.js';

interface Options extends SkippingOptions {
  readonly recursive?: true;
  /** Commander's name of `--no-clobber`, negated. */
  readonly clobber: boolean;
  readonly resume: boolean;
}

export function cp(program: Command, start: Start): void {
  addSkipping(program.command('cp'), ['follow', 'files', 'skip', 'fail'])
    .description('copies objects, files and directories, of any size, between any two places')
    .usage('[options] <source...> <target>')
    .argument(
      '<place...>',
      'sources (wildcards, - for standard input), then the target (- for standard output)',
    )
    .option('-r, --recursive', 'directories with everything in them')
    .option('-n, --no-clobber', 'keeps what is there already')
    .option('--no-resume', 'drop what an interrupted copy leaves, and do not continue an earlier one')
    .addHelpText(
      'after',
      examples(
        ['millrace cp big.tar s3://lake/backup/', 'a file into a directory, which the slash names'],
        ['millrace cp s3://lake/backup/big.tar .', 'and back'],
        ['millrace cp -r ./site/ s3://www/', 'everything in a directory; again: only what has changed'],
        ["millrace cp 's3://lake/raw/**/*.csv' ./csv/", 'what matches, with its directories from raw/ on'],
        [
          'millrace cp s3://old/a s3x://minio:9000/new/a',
          'between servers; on one server no byte comes here',
        ],
        ['pg_dump db | gzip | millrace cp - s3://backup/db.gz', 'standard input, of any length'],
      ) +
        `

Repeat the command to resume an interrupted copy: its uploaded parts stay on the server, with a
resume file .<name>.millrace-partial beside the target. "millrace uploads abort" drops them.
Objects that are already at the target, with the same size and not older, are not copied again.`,
    )
    .action((places: readonly string[], options: Options) =>
      start(async (session) => {
        const [target, sources] = [places.at(-1), places.slice(0, -1)];
        if (target === undefined || sources.length === 0)
          throw new UsageError(
            'cp takes one or more sources, then the target: millrace cp a.csv s3://lake/raw/',
          );
        if (target === standard) return toStandardOutput(session, sources);
        if (sources.includes(standard)) {
          if (sources.length > 1) throw new UsageError('Standard input (-) must be the only source.');
          return fromStandardInput(session, target, options);
        }
        return copy(session, sources, target, options);
      }),
    );
}

const verb = { doing: 'Copying', done: 'Copied' };

async function copy(session: Session, from: readonly string[], to: string, options: Options): Promise<void> {
  const { cwd } = session.io;
  const target = await locateTarget(to, cwd);
  const sources = await Promise.all(from.map((place) => locate(place, cwd)));
  const pairs = await pairsOf(session, sources, target, options.recursive === true);
  const skipping = skippingOf(session, options);
  for (const source of sources) if (source.glob !== undefined) await mustMatch(session, source, skipping);
  const work = session.operations.bulkCopy(pairs, {
    ...skipping,
    overwrite: options.clobber,
    skipExisting: !options.clobber,
    resume: options.resume,
  });
  const { Meter } = await import('../render/meter.js');
  using meter = new Meter(session, verb, session.out);
  try {
    await taken(work, session.stop, (progress) => meter.update(progress));
  } catch (error) {
    if (error instanceof Interrupted && options.resume && !session.quiet && !session.json)
      session.err.line('Repeat the command to continue.');
    const kept = options.clobber ? undefined : keptTargets(error);
    if (kept === undefined) throw error;
    meter.end();
    for (const uri of kept.uris) reportKept(session, uri);
    if (kept.failed === undefined) return;
    session.report(kept.failed);
    throw new Reported(1);
  }
  meter.end();
}

async function toStandardOutput(session: Session, from: readonly string[]): Promise<void> {
  const sources = await Promise.all(from.map((place) => locate(place, session.io.cwd)));
  await each(session, sources, async (source) => {
    if (namesDirectory(source) && source.glob === undefined)
      throw new UsageError(`${source.display} is a directory, and standard output takes objects.`);
    await catAll(session, source);
  });
}

async function fromStandardInput(session: Session, to: string, options: Options): Promise<void> {
  const target = await locateTarget(to, session.io.cwd);
  if (namesDirectory(target))
    throw new UsageError(
      `${target.display} is a directory, and standard input has no name. Name the object: ${target.display}name`,
    );
  const { Meter } = await import('../render/meter.js');
  using meter = new Meter(session, verb, session.out);
  const written = await writeStandardInput(session, target, { overwrite: options.clobber }, (progress) =>
    meter.update(progress),
  );
  if (written) meter.end();
  else reportKept(session, standard);
}
