import type { Command } from 'commander';
import { examples } from '../help.js';
import { locate, single } from '../locate.js';
import { fields } from '../render/text.js';
import { size } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { one } from '../wait.js';

export function probe(program: Command, start: Start): void {
  program
    .command('probe')
    .description(
      'tries what a server can do, and tells: a few small objects below .millrace/, which are removed again',
    )
    .argument('<place>', 'a bucket, or a directory in it')
    .addHelpText(
      'after',
      examples(
        ['millrace probe s3://lake', 'whether jobs can checkpoint there, and what they have to heed'],
        [
          'millrace probe s3://lake --json --set s3.endpoint=http://127.0.0.1:9000',
          'another server; for programs',
        ],
      ),
    )
    .action((place: string) => start((session) => tell(session, place)));
}

async function tell({ stores, out, json, io, stop }: Session, place: string): Promise<void> {
  const { uri, said } = single(await locate(place, io.cwd));
  const { capabilities } = stores.open(uri);
  const found = await one(capabilities, stop);
  if (json) {
    out.record({ uri: said, ...found });
    return;
  }
  const yes = (is: boolean, otherwise: string): string => (is ? 'yes' : `no: ${otherwise}`);
  for (const line of fields([
    ['Place', said],
    ['Conditional put', yes(found.conditionalPut, 'jobs cannot fence each other off here')],
    ['Complete with a subset of the parts', yes(found.completeSubset, 'files roll at every checkpoint')],
    ['Least part', size(found.minimumPartSize)],
  ]))
    out.line(line);
}
