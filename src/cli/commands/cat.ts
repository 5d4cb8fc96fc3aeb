import type { Command } from 'commander';
import { systemClock } from '../../flow/clock.js';
import type { ByteRange } from '../../store/objectStore.js';
import { UsageError } from '../exit.js';
import { examples } from '../help.js';
import { locate, type Located } from '../locate.js';
import { eachMatch } from '../matches.js';
import type { Session, Start } from '../session.js';
import { each, one } from '../wait.js';

export function cat(program: Command, start: Start): void {
  program
    .command('cat')
    .description('writes objects to standard output, one after the other')
    .argument('<place...>', 'objects, wildcards')
    .option(
      '--range <from-to>',
      'bytes of each, both ends included: 0-99, 100- (to the end), -100 (the last 100)',
    )
    .addHelpText(
      'after',
      examples(
        ['millrace cat s3://lake/raw/a.ndjson.gz | gunzip | head', 'reads no more than head wants'],
        ["millrace cat 's3://lake/raw/*.csv' > all.csv", 'several, in the order of their keys'],
        ['millrace cat --range 0-1023 s3://lake/video.mp4 | xxd', 'the first KiB, without requesting more'],
      ),
    )
    .action((places: readonly string[], options: { readonly range?: string }) =>
      start(async (session) => {
        const range = options.range === undefined ? undefined : rangeOf(options.range);
        const located = await Promise.all(places.map((place) => locate(place, session.io.cwd)));
        await each(session, located, (place) => catAll(session, place, range));
      }),
    );
}

/** A range from the start of an object, or its last bytes. */
type Wanted = ByteRange | { readonly last: number };

/** Writes an object, or all matching objects, to standard output. */
export async function catAll(session: Session, place: Located, range?: Wanted): Promise<void> {
  if (place.glob === undefined) return catOne(session, place.uri, range);
  await eachMatch(session, place, async (page) => {
    for (const { uri } of page) await catOne(session, uri, range);
  });
}

const chunkSize = 4 << 20;

async function catOne(
  { stores, config, out, stop }: Session,
  uri: string,
  wanted: Wanted | undefined,
): Promise<void> {
  const { store, key } = stores.open(uri);
  const { Contents } = await import('../../fs/contents.js');
  const { placeOf } = await import('../../fs/operations/place.js');
  const contents = new Contents({
    open: (place) => placeOf(stores, place),
    transfer: () => config.transfer,
    onCleanUp: (cleanUp) => void cleanUp.subscribe(),
    clock: systemClock,
  });
  const range = await rangeIn(wanted);
  const reader = await one(contents.sequential(uri, range === undefined ? {} : { range }), stop);
  try {
    for (;;) {
      const chunks = await one(reader.pull(chunkSize), stop);
      if (chunks.length === 0) return;
      for (const chunk of chunks) {
        out.write(chunk);
        await out.room();
      }
    }
  } finally {
    reader.close();
  }

  async function rangeIn(given: Wanted | undefined): Promise<ByteRange | undefined> {
    if (given === undefined || !('last' in given)) return given;
    const { size } = await one(store.head(key), stop);
    return { start: Math.max(0, size - given.last) };
  }
}

/** Parses `from-to`, as in HTTP. Errors: `Usage`. */
export function rangeOf(text: string): Wanted {
  const [, from = '', to = ''] = /^(\d{0,15})-(\d{0,15})$/.exec(text) ?? [];
  if (from === '' && to !== '') return { last: Number(to) };
  if (from === '' || (to !== '' && Number(to) < Number(from))) {
    throw new UsageError(
      `--range ${text} is not a range. Write from-to with both ends included, from- or -last: 0-99, 100-, -100.`,
    );
  }
  return { start: Number(from), ...(to === '' ? {} : { end: Number(to) + 1 }) };
}
