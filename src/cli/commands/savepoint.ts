import type { Command } from 'commander';
import type { Observable } from 'rxjs';
import type { CopyProgress, Signing } from '../../checkpoint/index.js';
import { hideUserInfo, plainUri } from '../../path/index.js';
import type { StoreLocation } from '../../store/services.js';
import { UsageError } from '../exit.js';
import { examples } from '../help.js';
import { asDirectory, below, lastName, locate, locateTarget, single, type Located } from '../locate.js';
import { savepointLine, savepointRecord } from '../render/savepoints.js';
import { printable, readable } from '../render/text.js';
import { counted, date, iso, size } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { each, one, taken } from '../wait.js';

interface RemoveOptions {
  readonly incomplete?: true;
  readonly dryRun?: true;
}

const example = 's3://lake/savepoints/savepoint-clicks-20260131T120000Z-x7k2pq';

export function savepoint(program: Command, start: Start): void {
  const group = program
    .command('savepoint')
    .helpCommand(false)
    .description(
      'copies of checkpoints that jobs can start from: lists, makes, verifies, copies, removes them',
    )
    .addHelpText(
      'after',
      examples(
        ['millrace savepoint ls s3://lake/savepoints', 'the savepoints in a folder'],
        ['millrace savepoint create s3://lake/checkpoints/clicks s3://lake/savepoints', 'of a stopped job'],
      ),
    );
  group
    .command('ls')
    .description('lists the savepoints in a folder')
    .argument('<folder>', 'of savepoints, or one savepoint')
    .addHelpText('after', examples(['millrace savepoint ls --json s3://lake/savepoints', 'for programs']))
    .action((folder: string) => start((session) => list(session, folder)));
  group
    .command('create')
    .description(
      'copies the last checkpoint of a job that is not running; use job.savepoint(…) for one that is',
    )
    .argument('<job>', 'in its checkpoint directory: s3://lake/checkpoints/clicks')
    .argument('[folder]', 'in which the savepoint is made; default: state.savepoints.dir')
    .addHelpText(
      'after',
      examples(
        ['millrace savepoint create s3://lake/checkpoints/clicks s3://lake/savepoints', 'prints its URI'],
        ['millrace savepoint create s3://lake/checkpoints/clicks', 'in the configured folder'],
      ),
    )
    .action((job: string, folder: string | undefined) => start((session) => create(session, job, folder)));
  group
    .command('verify')
    .description('checks that a savepoint has every object in its size, and its signature if there is a key')
    .argument('<savepoint...>', 'folders of savepoints')
    .addHelpText('after', examples([`millrace savepoint verify ${example}`, 'exit code 0 if it is whole']))
    .action((places: readonly string[]) =>
      start((session) => eachPlace(session, places, (place) => verify(session, place))),
    );
  group
    .command('cp')
    .description('copies a savepoint into another folder, under its name; the root last')
    .argument('<savepoint>', 'the folder of a savepoint')
    .argument('<folder>', 'in which the copy is made')
    .addHelpText('after', examples([`millrace savepoint cp ${example} s3://archive/savepoints`, 'a copy']))
    .action((from: string, folder: string) => start((session) => copy(session, from, folder)));
  group
    .command('rm')
    .description('removes savepoints: exactly what belongs to them')
    .argument('<savepoint...>', 'folders of savepoints')
    .option('--incomplete', 'also those that were interrupted; make sure that nothing is writing them')
    .option('--dry-run', 'show what would be removed, and remove nothing')
    .addHelpText(
      'after',
      examples(
        [`millrace savepoint rm ${example}`, 'one savepoint'],
        [`millrace savepoint rm --incomplete --dry-run ${example}`, 'what would be removed'],
      ),
    )
    .action((places: readonly string[], options: RemoveOptions) =>
      start((session) => eachPlace(session, places, (place) => remove(session, place, options))),
    );
}

async function eachPlace(
  session: Session,
  places: readonly string[],
  work: (place: Located) => Promise<void>,
): Promise<void> {
  const located = await Promise.all(places.map((place) => locate(place, session.io.cwd)));
  await each(session, located.map(single), work);
}

/** The place without the marker of entropy, which savepoints do not have. */
function open({ stores, config }: Session, uri: string): StoreLocation {
  return stores.open(plainUri(uri, config.transfer.entropy.key));
}

async function signingOf({ config }: Session): Promise<Signing | undefined> {
  const { signing } = await import('../../job/signing.js');
  return signing(config.checkpoints.sign);
}

async function list(session: Session, folder: string): Promise<void> {
  const { out, err, json, quiet, stop, io } = session;
  const located = single(await locate(folder, io.cwd));
  const { savepointPrefix, savepointsIn } = await import('../../checkpoint/index.js');
  const place = open(session, located.uri);
  const own = savepointPrefix(place);
  let found = 0;
  await taken(savepointsIn(place, await signingOf(session)), stop, (savepoint) => {
    found += 1;
    const { key } = savepoint;
    const uri = asDirectory(key === own ? located.uri : below(located, lastName(key)));
    const shown = hideUserInfo(uri);
    if (json) out.record(savepointRecord(shown, savepoint));
    else out.line(savepointLine(shown, savepoint));
  });
  if (found === 0 && !json && !quiet) err.line('There are no savepoints.');
}

async function create(session: Session, job: string, folder: string | undefined): Promise<void> {
  const { out, json, stores, config, io } = session;
  const { uri } = single(await locate(job, io.cwd));
  const dir = folder === undefined ? config.savepoints.dir : (await locateTarget(folder, io.cwd)).uri;
  if (dir === undefined)
    throw new UsageError(
      'Specify the folder in which the savepoint is made, or configure state.savepoints.dir.',
    );
  const { newSavepointName, savepointFromOutside } = await import('../../checkpoint/index.js');
  const { logPlaceOf } = await import('../../job/checkpointSource.js');
  const location = stores.open(uri);
  const marker = config.transfer.entropy.key;
  const log = logPlaceOf({ location, marker, sign: await signingOf(session) });
  const around = await aroundOf(session);
  const name = newSavepointName(log.scope.job, around.clock, around.random);
  const made = asDirectory(dir) + name;
  const target = open(session, made);
  const shown = hideUserInfo(plainUri(made, marker));
  const { checkpointsBelow } = await import('../../sinks/twoPhase/places.js');
  await one(
    checkpointsBelow('savepoint create', shown, target, [{ location, prefix: log.prefix }]),
    session.stop,
  );
  const { manifest, objects, bytes } = await metered(session, shown, (moved) =>
    savepointFromOutside({ log, location, target, ...around, moved }),
  );
  const { checkpoint, at } = manifest;
  if (json) out.record({ uri: shown, job: manifest.job, checkpoint, at: iso(at), objects, bytes });
  else out.line(shown);
}

/** Shows a bar on a terminal while `work` copies objects into the folder at `uri`. The command shows its own result. */
async function metered<T>(
  session: Session,
  uri: string,
  work: (moved?: (progress: CopyProgress) => void) => Observable<T>,
): Promise<T> {
  const { err, json, quiet, stop } = session;
  if (json || quiet || !err.isTerminal) return one(work(), stop);
  const { Meter } = await import('../render/meter.js');
  using meter = new Meter(session, { doing: 'Copying', done: 'Copied' });
  const moved = ({ key, ...progress }: CopyProgress): void => {
    meter.update({ ...progress, uri: below({ uri: asDirectory(uri) }, lastName(key)) });
  };
  return await one(work(moved), stop);
}

async function aroundOf({ config }: Session) {
  const { systemClock } = await import('../../flow/index.js');
  const { allowances } = await import('../../job/memory/index.js');
  const allow = allowances(systemClock, () => config.transfer.memoryBudget);
  return { clock: systemClock, random: Math.random, allow };
}

/** The maximum number of objects that are reported to people. */
const told = 20;

async function verify(session: Session, { uri }: Located): Promise<void> {
  const { out, err, json, stop } = session;
  const { corruptSavepoint, verifySavepoint } = await import('../../checkpoint/index.js');
  const place = open(session, uri);
  const { flaws, ...found } = await one(verifySavepoint(place, await signingOf(session)), stop);
  const shown = hideUserInfo(asDirectory(uri));
  const { job, checkpoint, at, objects, bytes, signature } = found;
  if (flaws.length > 0) {
    for (const { name, error } of json ? flaws : flaws.slice(0, told)) {
      if (json)
        err.record({
          type: 'failure',
          uri: below({ uri: shown }, name),
          code: error.code,
          message: error.message,
        });
      else session.report(error);
    }
    throw corruptSavepoint(
      shown,
      `${flaws.length} of its ${counted(objects, 'object')} are not as they were written`,
    );
  }
  if (json) out.record({ uri: shown, job, checkpoint, at: iso(at), objects, bytes, signature });
  else {
    const signed = { valid: 'signed', none: 'not signed', unchecked: 'signed, not checked: no key' }[
      signature
    ];
    const what = `${counted(objects, 'object')}, ${size(bytes)}, ${signed}`;
    out.line(`Savepoint ${checkpoint} of job ${job}, ${date(at)}: ${what}`);
  }
}

async function copy(session: Session, from: string, folder: string): Promise<void> {
  const { out, err, json, quiet, io } = session;
  const source = single(await locate(from, io.cwd));
  const into = await locateTarget(folder, io.cwd);
  const name = lastName(source.key);
  if (name === '') throw new UsageError(`${source.display} has no name. Name the folder of a savepoint.`);
  const uri = below(into, name);
  const { duplicateSavepoint } = await import('../../checkpoint/index.js');
  const shown = hideUserInfo(uri);
  const copying = {
    source: open(session, source.uri),
    target: open(session, uri),
    sign: await signingOf(session),
    ...(await aroundOf(session)),
  };
  const { objects, bytes } = await metered(session, shown, (moved) =>
    duplicateSavepoint({ ...copying, moved }),
  );
  if (json) out.record({ type: 'copied', uri: shown, objects, bytes });
  else {
    out.line(shown);
    if (!quiet)
      err.line(
        objects === 0 ? 'It was there already.' : `Copied ${counted(objects, 'object')}, ${size(bytes)}.`,
      );
  }
}

async function remove(session: Session, { uri }: Located, options: RemoveOptions): Promise<void> {
  const { out, err, json, quiet, stop } = session;
  const { planRemoval, removePlanned, savepointPrefix } = await import('../../checkpoint/index.js');
  const incomplete = options.incomplete === true;
  const plan = await one(planRemoval(open(session, uri), { incomplete }), stop);
  const shown = hideUserInfo(asDirectory(uri));
  const objects = plan.objects.length;
  const bytes = plan.objects.reduce((sum, each) => sum + each.size, 0);
  const record = { uri: shown, objects, bytes };
  if (options.dryRun === true) {
    if (json) out.record({ type: 'would remove', ...record });
    else
      out.line(`Would remove ${printable(readable(shown))}  (${counted(objects, 'object')}, ${size(bytes)})`);
    return;
  }
  const failures = await one(removePlanned(plan), stop);
  if (failures.length > 0) {
    const { PartlyFailed } = await import('../../fs/operations/errors.js');
    const own = savepointPrefix(plan.place);
    const failed = failures.map(({ key, error }) => ({
      uri: below({ uri: shown }, key.slice(own.length)),
      error,
    }));
    throw new PartlyFailed('RemoveFailed', 'removed', failed);
  }
  if (json) out.record({ type: 'removed', ...record });
  else if (!quiet)
    err.line(`Removed ${printable(readable(shown))}: ${counted(objects, 'object')}, ${size(bytes)}.`);
}
