import type { Command } from 'commander';
import { OperationError, PartlyFailed } from '../../fs/operations/errors.js';
import type { Entry } from '../../fs/operations/index.js';
import { parseUri } from '../../path/index.js';
import { UsageError } from '../exit.js';
import { examples } from '../help.js';
import { locate, namesDirectory, noMatch, type Located } from '../locate.js';
import { eachMatch } from '../matches.js';
import { printable, readable } from '../render/text.js';
import { counted, size } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { addSkipping, skippingOf, type SkippingOptions } from '../skipping.js';
import { each, one, taken } from '../wait.js';

interface Options extends SkippingOptions<'files' | 'skip' | 'fail'> {
  readonly recursive?: true;
  readonly wholeBucket?: true;
  readonly dryRun?: true;
}

const verb = { doing: 'Removing', done: 'Removed' };

export function rm(program: Command, start: Start): void {
  addSkipping(program.command('rm'), ['files', 'skip', 'fail'])
    .description('removes objects, and with --recursive directories')
    .argument('<place...>', 'objects, directories, wildcards')
    .option('-r, --recursive', 'directories with everything in them')
    .option('--whole-bucket', 'with --recursive: everything in a bucket')
    .option('--dry-run', 'show what would be removed, and remove nothing')
    .addHelpText(
      'after',
      examples(
        ['millrace rm s3://lake/raw/a.csv', 'one object'],
        ['millrace rm -r --dry-run s3://lake/tmp/', 'what would be removed'],
        ['millrace rm -r s3://lake/tmp/', 'a directory with everything in it'],
        ["millrace rm 's3://lake/raw/**/*.tmp'", 'what matches'],
        [
          'millrace rm -r --whole-bucket s3://lake',
          'empties a bucket: both options, so that it is never a slip',
        ],
      ),
    )
    .action((places: readonly string[], options: Options) =>
      start(async (session) => {
        const located = await Promise.all(places.map((place) => locate(place, session.io.cwd)));
        for (const place of located) refuse(place, options);
        if (options.dryRun === true)
          await each(session, located, (place) => tellAll(session, place, options));
        else await removeEach(session, located, options);
      }),
    );
}

/** Refuses directories and buckets without the required options. */
function refuse(place: Located, { recursive, wholeBucket }: Options): void {
  if (place.glob !== undefined || !namesDirectory(place)) return;
  if (place.key === '' && (recursive !== true || wholeBucket !== true))
    throw new UsageError(
      `${place.display} is a whole bucket. Add --recursive --whole-bucket to remove everything in it.`,
    );
  if (recursive !== true) throw new UsageError(isDirectory(place));
}

function isDirectory({ display }: Located): string {
  return `${display} is a directory. Add --recursive to remove everything in it.`;
}

async function removeEach(session: Session, places: readonly Located[], options: Options): Promise<void> {
  const { operations, stop } = session;
  const { Meter } = await import('../render/meter.js');
  using meter = new Meter(session, verb, session.out);
  const before = { objects: 0, bytes: 0 };
  const told = (objects: number, bytes: number, uri: string): void =>
    meter.update({ objects: { done: before.objects + objects }, bytes: { done: before.bytes + bytes }, uri });
  await each(session, places, async (place) => {
    let objects = 0;
    let bytes = 0;
    try {
      if (place.glob !== undefined) {
        await removeMatches(session, place, options, (page) => {
          objects += page.length;
          bytes += page.reduce((sum, entry) => sum + entry.size, 0);
          told(objects, bytes, page.at(-1)?.uri ?? place.uri);
        });
        return;
      }
      const recursive = options.recursive === true;
      const removal = {
        ...skippingOf(session, options),
        recursive,
        wholeBucket: options.wholeBucket === true,
        mustExist: true,
      };
      // A missing object is an error, as in all commands.
      await taken(operations.remove(place.uri, removal), stop, (progress) => {
        objects = progress.objects.done;
        bytes = progress.bytes.done;
        told(objects, bytes, progress.uri);
      });
    } catch (error) {
      // Without a trailing slash, only the server knows that it is a directory.
      throw error instanceof OperationError && error.code === 'NotEmpty'
        ? new UsageError(isDirectory(place))
        : error;
    } finally {
      before.objects += objects;
      before.bytes += bytes;
    }
  });
  meter.end();
}

/** Removes matching objects page by page of the listing, with one request per page. */
async function removeMatches(
  session: Session,
  place: Located,
  options: Options,
  removed: (page: readonly Entry[]) => void,
): Promise<void> {
  const { stores, stop } = session;
  await refuseAll(session, place, options);
  // Opened by the argument's URI, since the entries' URIs have no user info.
  const { store } = stores.open(place.uri);
  const failures: { readonly uri: string; readonly error: Error }[] = [];
  const removePage = async (page: readonly Entry[]): Promise<void> => {
    const entries = new Map(page.map((entry) => [parseUri(entry.uri).key, entry]));
    const refused = await one(store.delete([...entries.keys()]), stop);
    for (const { key, error } of refused) {
      failures.push({ uri: entries.get(key)?.uri ?? key, error });
      entries.delete(key);
    }
    removed([...entries.values()]);
  };
  try {
    await eachMatch(session, place, removePage, { links: 'files', ...skippingOf(session, options) });
  } catch (error) {
    if (!(error instanceof PartlyFailed)) throw error;
    failures.push(...error.failures);
  }
  if (failures.length > 0) throw new PartlyFailed('RemoveFailed', 'removed', failures);
}

/** Refuses a pattern that matches everything in a bucket, like the whole bucket. */
async function refuseAll({ stores, stop }: Session, place: Located, options: Options): Promise<void> {
  const { glob, key, uri, display } = place;
  if (glob === undefined || key !== '' || (options.recursive === true && options.wholeBucket === true))
    return;
  const { store } = stores.open(uri);
  let cursor: string | undefined;
  let found = false;
  do {
    const page = await one(
      store.list({ unlisted: 'report', ...(cursor === undefined ? {} : { cursor }) }),
      stop,
    );
    if (page.objects.some((object) => !glob.matches(object.key))) return;
    found ||= page.objects.length > 0;
    cursor = page.cursor;
  } while (cursor !== undefined);
  if (found)
    throw new UsageError(
      `${display} matches everything in the bucket. Add --recursive --whole-bucket to remove all of it.`,
    );
}

async function tellAll(session: Session, place: Located, options: Options): Promise<void> {
  const { operations, out, json, stop } = session;
  let objects = 0;
  let bytes = 0;
  const tell = (entry: Pick<Entry, 'uri' | 'size'>): void => {
    objects += 1;
    bytes += entry.size;
    if (json) out.record({ type: 'would remove', uri: entry.uri, size: entry.size });
    else out.line(`Would remove ${printable(readable(entry.uri))}  (${size(entry.size)})`);
  };
  if (place.glob !== undefined) await refuseAll(session, place, options);
  else {
    const { kind } = await one(operations.stat(place.uri), stop);
    if (kind === 'directory' && options.recursive !== true)
      refuse({ ...place, key: `${place.key}/` }, options);
  }
  const how = { links: 'files' as const, ...skippingOf(session, options), pace: () => out.room() };
  await taken(operations.walk(place.uri, how), stop, tell);
  if (place.glob !== undefined && objects === 0) throw noMatch(place);
  if (!json && !session.quiet)
    session.err.line(`Nothing was removed; it would be ${counted(objects, 'object')}, ${size(bytes)}.`);
}
