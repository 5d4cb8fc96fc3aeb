import type { Command } from 'commander';
import type { Observable } from 'rxjs';
import type { Entry } from '../../fs/operations/index.js';
import { isStoreError } from '../../store/errors.js';
import { examples } from '../help.js';
import { fixedDirectory, locate, namesDirectory, noMatch, type Located } from '../locate.js';
import { entryLine, entryRecord } from '../render/entries.js';
import type { Session, Start } from '../session.js';
import { addSkipping, skippingOf, type SkippingOptions } from '../skipping.js';
import { each, taken } from '../wait.js';

interface Options extends SkippingOptions {
  readonly recursive?: true;
  readonly long?: true;
  readonly bytes?: true;
  readonly names?: true;
}

export function ls(program: Command, start: Start): void {
  addSkipping(program.command('ls'), ['follow', 'files', 'skip', 'fail'])
    .description('lists what is in a directory, or matches')
    .argument('[place...]', 'directories, objects, wildcards', ['.'])
    .option('-r, --recursive', 'everything below, instead of one level')
    .option('-l, --long', 'storage class and ETag, too')
    .option('--bytes', 'exact sizes')
    .option('--names', 'names and nothing else')
    .addHelpText(
      'after',
      examples(
        ['millrace ls s3://lake/raw/', 'one level: objects with size and time, directories'],
        ['millrace ls -r s3://lake/raw/', 'everything below, in the order of the keys'],
        ["millrace ls 's3://lake/**/*.csv'", 'what matches; quotes keep the shell from expanding it'],
        ['millrace ls --json s3://lake | jq -r .uri', 'for programs: exact URIs, one record a line'],
      ),
    )
    .action((places: readonly string[], options: Options) =>
      start(async (session) => {
        const located = await Promise.all(places.map((place) => locate(place, session.io.cwd)));
        await each(session, located, async (place, i) => {
          if (located.length > 1 && !session.json && options.names !== true) {
            if (i > 0) session.out.line('');
            session.out.line(`${place.display}:`);
          }
          await listOne(session, place, options);
        });
      }),
    );
}

async function listOne(session: Session, place: Located, options: Options): Promise<void> {
  const { out, stop } = session;
  const base = namesDirectory(place) ? place.key : `${place.key}/`;
  const style = {
    bytes: options.bytes === true,
    long: options.long === true,
    names: options.names === true,
    base: place.glob === undefined ? base : fixedDirectory(place.key),
  };
  let found = 0;
  try {
    await taken(entriesOf(session, place, options), stop, (entry) => {
      found += 1;
      if (session.json) out.record(entryRecord(entry));
      else out.line(entryLine(entry, style));
    });
  } catch (error) {
    // A local directory may be empty.
    if (place.localDirectory !== true || found > 0 || !isStoreError(error, 'NotFound')) throw error;
  }
  if (place.glob !== undefined && found === 0) throw noMatch(place);
}

function entriesOf(session: Session, { uri, glob }: Located, options: Options): Observable<Entry> {
  const { operations, out } = session;
  const how = { ...skippingOf(session, options), pace: () => out.room() };
  if (glob !== undefined || options.recursive === true) return operations.walk(uri, how);
  return operations.list(uri, how);
}
