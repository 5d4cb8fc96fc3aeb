import type { Command } from 'commander';
import { examples } from '../help.js';
import { locate, type Located } from '../locate.js';
import { eachMatch } from '../matches.js';
import { entryRecord, statLines } from '../render/entries.js';
import type { Session, Start } from '../session.js';
import { each, one } from '../wait.js';

export function stat(program: Command, start: Start): void {
  program
    .command('stat')
    .description('shows everything that is known about objects and directories')
    .argument('<place...>', 'objects, directories, wildcards')
    .addHelpText(
      'after',
      examples(
        ['millrace stat s3://lake/raw/a.csv', 'size, times, ETag, content headers, metadata'],
        ['millrace stat --json s3://lake/raw/a.csv | jq .etag', 'for programs'],
        ['millrace stat -q s3://lake/raw/a.csv || echo missing', 'whether it is there: exit code 3 if not'],
      ),
    )
    .action((places: readonly string[]) =>
      start(async (session) => {
        const located = await Promise.all(places.map((place) => locate(place, session.io.cwd)));
        const tell = teller(session);
        await each(session, located, (place) => statAll(session, place, tell));
      }),
    );
}

type Tell = (uri: string) => Promise<void>;

function teller({ operations, out, json, quiet, stop }: Session): Tell {
  let told = 0;
  return async (uri) => {
    const entry = await one(operations.stat(uri), stop);
    if (json) out.record(entryRecord(entry));
    else if (!quiet) for (const line of [...(told === 0 ? [] : ['']), ...statLines(entry)]) out.line(line);
    told += 1;
    await out.room();
  };
}

async function statAll(session: Session, place: Located, tell: Tell): Promise<void> {
  if (place.glob === undefined) return tell(place.uri);
  await eachMatch(session, place, async (page) => {
    for (const { uri } of page) await tell(uri);
  });
}
