import type { Command } from 'commander';
import type { OpenedState, OperatorState, StateEntry } from '../../job/openState.js';
import type { Key } from '../../state/index.js';
import { StoreError } from '../../store/errors.js';
import { examples } from '../help.js';
import { locate, single } from '../locate.js';
import { counted, date, size } from '../render/units.js';
import { jsonOf, keyOf } from '../render/values.js';
import type { Session, Start } from '../session.js';
import { one, taken } from '../wait.js';
import { stateObjects } from './stateObjects.js';

interface KeyOptions {
  readonly jsonKey?: true;
  readonly namespace?: string;
}

interface DumpOptions extends KeyOptions {
  readonly keys?: true;
}

const job = 'a job in its checkpoint directory (s3://lake/checkpoints/clicks), or a savepoint';

export function state(program: Command, start: Start): void {
  const group = program
    .command('state')
    .helpCommand(false)
    .description('reads, exports and imports what the operators of a job hold for each key')
    .addHelpText(
      'after',
      examples(
        ['millrace state ls s3://lake/checkpoints/clicks', 'operators and their states'],
        ['millrace state get s3://lake/checkpoints/clicks per-user clicks ada', 'what one key holds'],
        ['millrace state dump s3://lake/checkpoints/clicks per-user clicks', 'all of it, one record a line'],
        ['millrace state export s3://lake/checkpoints/clicks s3://lake/state', 'as objects, one an entry'],
      ),
    );
  group
    .command('ls')
    .description('lists operators and their states, with what is stored')
    .argument('<job>', job)
    .addHelpText(
      'after',
      examples(['millrace state ls --json s3://lake/checkpoints/clicks', 'with serializers; for programs']),
    )
    .action((place: string) => start((session) => reading(session, place, list)));
  addKeyOptions(group.command('get'))
    .description('shows what a key holds')
    .argument('<job>', job)
    .argument('<operator>', 'the id of the operator')
    .argument('<state>', 'the name of the state')
    .argument('<key>', 'a string; with --json-key, JSON')
    .addHelpText(
      'after',
      examples(
        [
          'millrace state get s3://lake/checkpoints/clicks per-user clicks ada',
          'reads little of a large state',
        ],
        ['millrace state get --json-key s3://lake/checkpoints/clicks per-day clicks 7', 'the number 7'],
        ['millrace state get -n 2026-01 s3://lake/checkpoints/clicks per-user sum ada', 'in a namespace'],
      ),
    )
    .action((place: string, operator: string, name: string, key: string, options: KeyOptions) =>
      start((session) =>
        reading(session, place, (opened) => get(session, opened, { operator, name, key, options })),
      ),
    );
  addKeyOptions(group.command('dump'))
    .description('shows what all keys hold, in no particular order')
    .argument('<job>', job)
    .argument('<operator>', 'the id of the operator')
    .argument('<state>', 'the name of the state')
    .option('--keys', 'keys and nothing else')
    .addHelpText(
      'after',
      examples(
        ['millrace state dump --json s3://lake/checkpoints/clicks per-user clicks', 'one record a line'],
        ['millrace state dump --keys s3://lake/checkpoints/clicks per-user clicks | wc -l', 'how many keys'],
      ),
    )
    .action((place: string, operator: string, name: string, options: DumpOptions) =>
      start((session) =>
        reading(session, place, (opened) => dump(session, opened, { operator, name, options })),
      ),
    );
  stateObjects(group, start);
}

function addKeyOptions(command: Command): Command {
  return command
    .option('-n, --namespace <namespace>', 'only what is held in this namespace, such as a window')
    .option('--json-key', 'key and namespace are JSON, as --json shows them: 7, ["ada",7]');
}

async function reading(
  session: Session,
  place: string,
  work: (opened: OpenedState, session: Session) => Promise<void>,
): Promise<void> {
  const { stores, config, io } = session;
  const { uri } = single(await locate(place, io.cwd));
  const { openState } = await import('../../job/openState.js');
  await work(openState(uri, { stores, config }), session);
}

async function list(opened: OpenedState, { out, json, stop }: Session): Promise<void> {
  const { job: name, checkpoint, at, savepoint } = await one(opened.checkpoint(), stop);
  const operators: OperatorState[] = [];
  await taken(opened.operators(), stop, (operator) => operators.push(operator));
  if (json) {
    for (const operator of operators) out.record({ job: name, checkpoint, at: new Date(at), ...operator });
    return;
  }
  out.line(`${savepoint ? 'Savepoint' : 'Checkpoint'} ${checkpoint} of job ${name}, ${date(at)}`);
  for (const { operator, bytes, segments, states } of operators) {
    out.line(`${operator}  ${size(bytes)} in ${counted(segments, 'segment')}`);
    const width = Math.max(...states.map((each) => each.name.length));
    const kinds = Math.max(...states.map(({ kind = '-' }) => kind.length));
    for (const { name: state, kind = '-', serializer, cells } of states) {
      const by = serializer === undefined ? '' : `  ${serializer.id} ${serializer.version}`;
      out.line(`  ${state.padEnd(width)}  ${kind.padEnd(kinds)}  ${counted(cells, 'cell')}${by}`);
    }
  }
}

interface Target<O> {
  readonly operator: string;
  readonly name: string;
  readonly options: O;
}

async function get(
  { out, json, stop }: Session,
  opened: OpenedState,
  { operator, name, key: given, options }: Target<KeyOptions> & { readonly key: string },
): Promise<void> {
  const key = keyFrom(given, options);
  const how = namespaced(options);
  const value = await one(opened.get(operator, name, key, how), stop);
  if (value === undefined)
    throw new StoreError('NotFound', `State ${name} of operator ${operator} holds nothing for key ${given}.`);
  if (json) out.record(recordOf({ key, ...how, value }));
  else out.line(JSON.stringify(jsonOf(value)));
}

async function dump(
  { out, json, stop }: Session,
  opened: OpenedState,
  { operator, name, options }: Target<DumpOptions>,
): Promise<void> {
  const how = { ...namespaced(options), pace: () => out.room() };
  if (options.keys === true) {
    await taken(opened.keys(operator, name, how), stop, (key) => {
      if (json) out.record({ key: jsonOf(key) });
      else out.line(JSON.stringify(jsonOf(key)));
    });
    return;
  }
  await taken(opened.entries(operator, name, how), stop, (entry) => {
    if (json) out.record(recordOf(entry));
    else
      out.line(
        [entry.key, ...(entry.namespace === undefined ? [] : [entry.namespace]), entry.value]
          .map((part) => JSON.stringify(jsonOf(part)))
          .join('  '),
      );
  });
}

function recordOf({ key, namespace, value }: StateEntry): object {
  return {
    key: jsonOf(key),
    ...(namespace === undefined ? {} : { namespace: jsonOf(namespace) }),
    value: jsonOf(value),
  };
}

const keyFrom = (given: string, { jsonKey }: KeyOptions): Key => (jsonKey === true ? keyOf(given) : given);

function namespaced(options: KeyOptions): { readonly namespace?: Key } {
  const { namespace } = options;
  return namespace === undefined ? {} : { namespace: keyFrom(namespace, options) };
}
