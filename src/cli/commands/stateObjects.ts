import type { Command } from 'commander';
import type { Observable } from 'rxjs';
import type { StateProgress } from '../../job/stateFolder.js';
import { Interrupted, UsageError } from '../exit.js';
import { examples } from '../help.js';
import { locate, locateTarget, single } from '../locate.js';
import type { Session, Start } from '../session.js';
import { taken } from '../wait.js';

interface ExportOptions {
  readonly operator?: string;
}

/** Exports and imports: state as objects, one for each entry. */
export function stateObjects(group: Command, start: Start): void {
  group
    .command('export')
    .description('writes an object for each key, state and namespace into an empty folder')
    .argument('<job>', 'a job in its checkpoint directory (s3://lake/checkpoints/clicks), or a savepoint')
    .argument('[folder]', 'an empty folder; default: state.exports.dir, or that of the state backend')
    .option('-o, --operator <id>', 'only the state of this operator')
    .addHelpText(
      'after',
      examples(
        ['millrace state export s3://lake/checkpoints/clicks s3://lake/state', 'state of all operators'],
        ['millrace state export -o per-user s3://lake/checkpoints/clicks ./state/', 'of one, to a disk'],
      ),
    )
    .action((place: string, folder: string | undefined, options: ExportOptions) =>
      start((session) => exportTo(session, place, folder, options)),
    );
  group
    .command('import')
    .description('makes a savepoint of an export, for a job to start from')
    .argument('<folder>', 'of an export')
    .argument('<savepoint>', 'an empty folder')
    .addHelpText(
      'after',
      examples([
        'millrace state import s3://lake/state s3://lake/savepoints/clicks-2',
        'then: createJob({ from })',
      ]),
    )
    .action((folder: string, savepoint: string) => start((session) => importTo(session, folder, savepoint)));
}

async function exportTo(
  session: Session,
  place: string,
  folder: string | undefined,
  options: ExportOptions,
): Promise<void> {
  const { config, io } = session;
  const { uri } = single(await locate(place, io.cwd));
  const to = folder === undefined ? config.state.exportDir : (await locateTarget(folder, io.cwd)).uri;
  if (to === undefined)
    throw new UsageError(
      'Specify the folder to export to, or configure state.exports.dir, or state.backend.s3.bucket.',
    );
  const { openState } = await import('../../job/openState.js');
  using opened = openState(uri, around(session));
  await transferred(session, { doing: 'Exporting', done: 'Exported' }, opened.export(to, options));
}

async function importTo(session: Session, folder: string, savepoint: string): Promise<void> {
  const { uri } = single(await locate(folder, session.io.cwd));
  const to = (await locateTarget(savepoint, session.io.cwd)).uri;
  const { importState } = await import('../../job/importState.js');
  const work = importState(uri, to, around(session));
  await transferred(session, { doing: 'Importing', done: 'Imported' }, work);
}

/** With encryption of state, stores of their own, whose writes are encrypted. */
function around({ config, stores }: Session) {
  return config.state.encryption ? { config } : { config, stores };
}

async function transferred(
  session: Session,
  verb: { readonly doing: string; readonly done: string },
  work: Observable<StateProgress>,
): Promise<void> {
  const { Meter } = await import('../render/meter.js');
  using meter = new Meter(session, verb, session.out);
  try {
    await taken(work, session.stop, (progress) => meter.update(progress));
  } catch (error) {
    if (error instanceof Interrupted && !session.quiet && !session.json)
      session.err.line('The target folder is incomplete: remove it before you repeat the command.');
    throw error;
  }
  meter.end();
}
