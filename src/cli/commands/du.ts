import { Option, type Command } from 'commander';
import { parseUri } from '../../path/index.js';
import { examples } from '../help.js';
import { fixedDirectory, locate, namesDirectory, noMatch, type Located } from '../locate.js';
import { DirectorySums, type DirectorySum } from '../directorySums.js';
import { wholeNumber } from '../globals.js';
import { printable, readable } from '../render/text.js';
import { counted, size } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { addSkipping, skippingOf, type SkippingOptions } from '../skipping.js';
import { each, taken } from '../wait.js';
import { PartlyFailed } from '../../fs/operations/errors.js';
import { formatUri, splitUri } from '../../path/index.js';

interface Options extends SkippingOptions {
  readonly summarize?: true;
  readonly depth?: number;
  readonly bytes?: true;
}

export function du(program: Command, start: Start): void {
  addSkipping(program.command('du'), ['follow', 'files', 'skip', 'fail'])
    .description('adds up how much is in each directory')
    .argument('[place...]', 'directories, wildcards', ['.'])
    .option('-s, --summarize', 'one sum for each place')
    .addOption(new Option('-d, --depth <levels>', 'directories down to this level').argParser(wholeNumber))
    .option('--bytes', 'exact sizes')
    .addHelpText(
      'after',
      examples(
        ['millrace du s3://lake/raw/', 'every directory, with all below it; the whole comes last'],
        ['millrace du -d 1 s3://lake', 'one level'],
        ["millrace du -s 's3://lake/**/*.parquet'", 'one sum of all that match'],
      ),
    )
    .action((places: readonly string[], options: Options) =>
      start(async (session) => {
        const located = await Promise.all(places.map((place) => locate(place, session.io.cwd)));
        await each(session, located, (place) => sumUp(session, place, options));
      }),
    );
}

async function sumUp(session: Session, place: Located, options: Options): Promise<void> {
  const { operations, out, json, stop } = session;
  const base =
    place.glob === undefined
      ? namesDirectory(place)
        ? place.key
        : `${place.key}/`
      : fixedDirectory(place.key);
  const depth = options.summarize === true ? 0 : (options.depth ?? Infinity);
  const { scheme, server, bucket } = splitUri(place.uri);
  const tell = ({ key, objects, bytes }: DirectorySum): void => {
    const uri = formatUri({ scheme, bucket, key, ...(server === undefined ? {} : { server }) });
    if (json) out.record({ uri, objects, bytes });
    else {
      const amount = options.bytes === true ? String(bytes).padStart(15) : size(bytes).padStart(9);
      out.line(`${amount}  ${counted(objects, 'object').padStart(14)}  ${printable(readable(uri))}`);
    }
  };
  const sums = new DirectorySums(base, depth, tell);
  const how = { ...skippingOf(session, options), pace: () => out.room() };
  try {
    await taken(operations.walk(place.uri, how), stop, (entry) =>
      sums.add(parseUri(entry.uri).key, entry.size),
    );
  } catch (error) {
    // The sums are without the failures.
    if (error instanceof PartlyFailed && error.code === 'ListFailed') sums.end();
    throw error;
  }
  if (place.glob !== undefined && sums.objects === 0) throw noMatch(place);
  sums.end();
}
