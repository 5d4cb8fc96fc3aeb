import { InvalidArgumentError, type Command } from 'commander';
import { concat, defer, EMPTY, from, ignoreElements, map, mergeMap, tap, type Observable } from 'rxjs';
import { MillraceError } from '../../errors.js';
import type { DataFinding, KnownJob, ObjectFinding, UploadFinding } from '../../job/doctor.js';
import { hideUserInfo, plainUri, uriBelow } from '../../path/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import type { StoreLocation } from '../../store/services.js';
import { Reported } from '../exit.js';
import { examples } from '../help.js';
import { asDirectory, locate, single } from '../locate.js';
import { printable, readable } from '../render/text.js';
import { counted, date, iso, size } from '../render/units.js';
import type { Session, Start } from '../session.js';
import { one, taken } from '../wait.js';

/**
 * What a GB costs a month in S3 Standard, in US dollars: the list price of us-east-1 for the first 50 TB
 * (https://aws.amazon.com/s3/pricing/).
 */
const listPrice = 0.023;

interface DoctorOptions {
  readonly job?: readonly string[];
  readonly fix?: true;
  readonly price: number;
}

export function doctor(program: Command, start: Start): void {
  program
    .command('doctor')
    .description(
      'finds what jobs have left: unfinished uploads, and objects that no checkpoint refers to; and lifecycle rules that harm jobs',
    )
    .argument('<place>', 'a bucket, or a folder with output or checkpoints')
    .option(
      '--job <folder>',
      'of a job: its log is proof of what is garbage; may be repeated',
      (folder: string, before: readonly string[] | undefined) => [...(before ?? []), folder],
    )
    .option('--fix', 'remove what is provably garbage; without it, nothing is changed')
    .option('--price <dollars>', 'for a GB and a month, instead of the list price of S3', dollars, listPrice)
    .addHelpText(
      'after',
      examples(
        ['millrace doctor s3://lake', 'what is there, and whose it is'],
        ['millrace doctor s3://out --job s3://lake/checkpoints/clicks', 'with checkpoints in another bucket'],
        [
          'millrace doctor --fix s3://lake --job s3://lake/checkpoints/clicks',
          'removes the garbage of this job',
        ],
      ),
    )
    .action((place: string, options: DoctorOptions) => start((session) => examine(session, place, options)));
}

function dollars(text: string): number {
  if (!/^\d{1,6}(\.\d{1,9})?$/.test(text))
    throw new InvalidArgumentError('It must be a number of dollars, such as 0.023.');
  return Number(text);
}

async function examine(session: Session, place: string, options: DoctorOptions): Promise<void> {
  const { io, stores, config, stop } = session;
  const { dataFindings, logFolders, uploadFindings } = await import('../../job/doctor.js');
  const marker = config.transfer.entropy.key;
  const { uri } = single(await locate(place, io.cwd));
  const examined = stores.open(plainUri(asDirectory(uri), marker));
  const { store, key: prefix } = examined;
  const logs: { readonly location: StoreLocation; readonly isNamed: boolean }[] = [];
  for (const folder of options.job ?? []) {
    const named = single(await locate(folder, io.cwd));
    // With the marker of entropy, which shows where the job has it.
    logs.push({ location: stores.open(asDirectory(named.uri)), isNamed: true });
  }
  for (const key of await one(logFolders(store, prefix), stop))
    logs.push({ location: { ...examined, key }, isNamed: key === prefix });
  const { jobs, failed } = await knownJobs(session, logs);
  // What the log that cannot be read names is not known, so it may be anything.
  const report = new Report(session, options, options.fix === true && !failed);
  await taken(
    uploadFindings(store, prefix, jobs, (page) => report.deal(store, page)),
    stop,
  );
  for (const job of jobs) {
    const dealt = dataFindings(job, (page) => report.deal(job.log.store, page));
    await taken(dealt, stop, (data) => report.data(data));
  }
  await rules(
    session,
    jobs,
    examined,
    logs.map(({ location }) => location),
  );
  const empty = report.found === 0 && (await one(isEmpty(store, prefix), stop));
  report.unproven(jobs);
  report.end(empty ? `There is nothing below ${hideUserInfo(uri)}.` : 'Nothing is left over.');
  if (failed || report.failed) throw new Reported(1);
}

/** Shows what the lifecycle rules of all buckets concerned mean for the jobs. Stores other than S3 have none. */
async function rules(
  { out, json, stop }: Session,
  jobs: readonly KnownJob[],
  examined: StoreLocation,
  logs: readonly StoreLocation[],
): Promise<void> {
  const { lifecycleFindings } = await import('../../job/lifecycleAdvice.js');
  const { lifecycleLine, lifecycleRecord } = await import('../render/lifecycle.js');
  const buckets = new Map([examined, ...logs].map((each) => [each.store, each]));
  for (const { store, lifecycle } of buckets.values()) {
    if (lifecycle === undefined) continue;
    const folder = store === examined.store ? examined.key : undefined;
    for (const finding of await one(lifecycleFindings(lifecycle, jobs, store.uri, folder), stop))
      if (json) out.record(lifecycleRecord(store, finding));
      else out.line(lifecycleLine(store, finding));
  }
}

/** Whether there is no object: a wrong name must not look like a clean place. */
const isEmpty = (store: ObjectStore, prefix: string): Observable<boolean> =>
  store.list({ prefix, limit: 1 }).pipe(map(({ objects }) => objects.length === 0));

/** The jobs whose logs can be read. Nothing of the others is garbage. */
async function knownJobs(
  session: Session,
  logs: readonly { readonly location: StoreLocation; readonly isNamed: boolean }[],
): Promise<{ readonly jobs: readonly KnownJob[]; readonly failed: boolean }> {
  const { config, stop } = session;
  const { logPlaceOf } = await import('../../job/checkpointSource.js');
  const { signing } = await import('../../job/signing.js');
  const { knownJob } = await import('../../job/doctor.js');
  const sign = signing(config.checkpoints.sign);
  const marker = config.transfer.entropy.key;
  const jobs: KnownJob[] = [];
  let failed = false;
  for (const { location, isNamed } of logs) {
    const log = logPlaceOf({ location, marker, sign });
    if (jobs.some((each) => each.log.store === log.store && each.log.prefix === log.prefix)) continue;
    const before = jobs.length;
    try {
      await taken(knownJob(log, isNamed), stop, (job) => jobs.push(job));
      // What a mistyped name should have protected or proven is not known.
      if (isNamed && jobs.length === before) throw noLog(uriBelow(log.store.uri, log.prefix));
    } catch (error) {
      stop.throwIfAborted();
      failed = true;
      session.report(isNamed ? error : withHint(error, log.prefix));
    }
  }
  return { jobs, failed };
}

const noLog = (folder: string): MillraceError =>
  new MillraceError(
    'StateNotFound',
    `${hideUserInfo(folder)} has no log of a job. Name the checkpoint folder of a job: the checkpoint directory, a slash and the name of the job.`,
  );

/** Where a job has entropy is not known from the log's folder. */
function withHint(error: unknown, prefix: string): unknown {
  if (!(error instanceof MillraceError) || error.code !== 'ForeignName') return error;
  return new MillraceError(
    error.code,
    `${error.message} If the job of ${prefix} has entropy in its keys, name its checkpoint folder with the marker: --job 's3://lake/_entropy_/checkpoints/clicks'.`,
    { cause: error },
  );
}

type Finding = UploadFinding | ObjectFinding;

/** Shows findings as they come, and removes garbage if that is asked for. */
class Report {
  failed = false;
  #found = 0;
  #bytes = 0;
  #garbage = 0;
  #removed = 0;
  readonly #unproven = new Set<string>();

  constructor(
    private readonly session: Session,
    private readonly options: DoctorOptions,
    private readonly removes: boolean,
  ) {}

  deal(store: ObjectStore, page: readonly Finding[]): Observable<never> {
    return defer(() => {
      for (const finding of page) this.#show(store, finding);
      const garbage = page.filter(({ verdict }) => verdict === 'garbage');
      return this.removes ? this.#remove(store, garbage) : EMPTY;
    });
  }

  data({ job: { log, manifest }, objects, bytes }: DataFinding): void {
    const { out, json } = this.session;
    const { job, jobId, epoch, checkpoint, at } = manifest;
    const uri = hideUserInfo(uriBelow(log.store.uri, log.prefix));
    if (json) out.record({ type: 'job', uri, job, jobId, epoch, checkpoint, at: iso(at), objects, bytes });
    else
      out.line(
        `Job ${printable(job)} (${jobId}): epoch ${epoch}, checkpoint ${checkpoint} of ${date(at)}; ${counted(objects, 'data object')}, ${size(bytes)}`,
      );
  }

  /** Names the folders whose logs would have to be proof. */
  unproven(jobs: readonly KnownJob[]): void {
    const { err, json, quiet } = this.session;
    if (json || quiet) return;
    for (const { log, manifest } of jobs) {
      if (!this.#unproven.has(manifest.jobId)) continue;
      const uri = readable(hideUserInfo(uriBelow(log.store.uri, log.prefix)));
      err.line(
        printable(
          `Others may have written the log of ${uri}, so what it would make garbage is unproven. If it is that of your job: --job ${uri}`,
        ),
      );
    }
  }

  get found(): number {
    return this.#found;
  }

  /** @param nothing the line printed if there is no finding */
  end(nothing: string): void {
    const { err, json, quiet } = this.session;
    if (json || quiet) return;
    if (this.#found === 0) {
      err.line(nothing);
      return;
    }
    const cost = ((this.#bytes / 1e9) * this.options.price).toFixed(2);
    err.line(
      `${counted(this.#found, 'finding')}, ${size(this.#bytes)}. Estimate: $${cost} a month, at $${this.options.price} for a GB.`,
    );
    if (this.removes) err.line(`Removed ${counted(this.#removed, 'finding')}.`);
    else if (this.options.fix === true)
      err.line(
        'Nothing was removed, because a log could not be read: see the error. If no job has written it, remove that object, or examine a folder without it.',
      );
    else if (this.#garbage > 0)
      err.line(`Nothing was removed. --fix removes ${counted(this.#garbage, 'finding')} of garbage.`);
  }

  #show(store: ObjectStore, finding: Finding): void {
    const { out, json } = this.session;
    const { key, bytes, since, verdict, type, jobId, job, epoch } = finding;
    this.#found += 1;
    this.#bytes += bytes ?? 0;
    if (verdict === 'garbage') this.#garbage += 1;
    if (verdict === 'unproven' && jobId !== undefined) this.#unproven.add(jobId);
    const uri = hideUserInfo(uriBelow(store.uri, key));
    const upload = type === 'upload' ? { uploadId: finding.uploadId, sink: finding.sink } : {};
    const monthly = bytes === undefined ? undefined : (bytes / 1e9) * this.options.price;
    if (json) {
      out.record({ type, verdict, uri, ...upload, bytes, since: iso(since), job, jobId, epoch, monthly });
      return;
    }
    const of = jobId === undefined ? 'no job' : `job ${job ?? jobId}, epoch ${epoch ?? ''}`;
    const parts = [verdict.padEnd(8), type, date(since), bytes === undefined ? '' : size(bytes), of];
    out.line(`${parts.map(printable).join('  ')}  ${printable(readable(uri))}`);
  }

  #remove(store: ObjectStore, garbage: readonly Finding[]): Observable<never> {
    const objects = garbage.filter(({ type }) => type === 'object').map(({ key }) => key);
    const uploads = garbage.filter((each) => each.type === 'upload');
    const deleted = objects.length === 0 ? EMPTY : store.delete(objects);
    return concat(
      deleted.pipe(
        tap((failures) => {
          for (const { error } of failures) this.#fail(error);
          this.#removed += objects.length - failures.length;
        }),
      ),
      from(uploads).pipe(
        mergeMap(
          ({ key, uploadId }) =>
            store.abortUpload(key, uploadId).pipe(tap({ complete: () => (this.#removed += 1) })),
          4,
        ),
      ),
    ).pipe(ignoreElements());
  }

  #fail(error: unknown): void {
    this.failed = true;
    this.session.report(error);
  }
}
