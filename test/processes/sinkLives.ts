/**
 * The lives of one job with all sinks, in real processes: they are killed at moments drawn from a seed, each after new durable
 * progress, while readers look at each sink all the time. What a reader sees is whole, there once, and stays.
 *
 * 1. A process runs until a checkpoint has records of it, and then for a random number of events: requests to the store, batches of
 *    the service, and lines that it prints. Then it is killed, and the next one starts.
 * 2. Meanwhile a reader lists files, and reads each one that is new; another reads the rows that PostgreSQL has more than before; the
 *    service notes each batch that it takes.
 * 3. The last process finishes. One more start sweeps. Then everything is read once more, from the beginning.
 */
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { setTimeout as wait } from 'node:timers/promises';
import { between, pick, seeded } from '../simulation/random.js';
import { recordsOf } from '../support/encoders.js';
import { keysBelow, leftoversBelow, type Audit } from './audit.js';
import { finished, JobProcess } from './child.js';
import { expectedOf } from './input.js';
import { prepare, progress, randomFaults } from './lives.js';
import type { PostgresServer } from './postgres.js';
import { startService, type Meeting } from './service.js';
import { Sightings, type Row } from './sinkRows.js';
import type { SinksTask } from './sinksJob.js';
import type { Target } from './target.js';

export interface SinkLivesOptions {
  readonly target: Target;
  /** Of which the job has the table `rows` for itself. */
  readonly database: PostgresServer | undefined;
  readonly seed: number;
  /** The job is over when its input is, even if that was too little for as many. */
  readonly kills: number;
  readonly records: number;
  /** At most as many events pass, by one of these, before a process with durable progress is killed. */
  readonly moments?: readonly number[];
  /** Whether requests to the store fail, too. Only with a gateway. */
  readonly faults: boolean;
}

export interface SinkLives extends Audit {
  readonly kills: number;
  readonly checkpoints: number;
  readonly records: number;
  /** Published, of all formats. */
  readonly files: number;
  /** Times that readers looked. */
  readonly looks: number;
}

const formats = ['parquet', 'csv', 'avro'] as const;

/** Rejects if a process ends in an unexpected way, or a file cannot be read; the message has the seed. */
export async function liveWithSinks(options: SinkLivesOptions): Promise<SinkLives> {
  try {
    return await lives(options);
  } catch (cause) {
    throw new Error(`All sinks, seed ${options.seed}: ${String(cause)}`, { cause });
  }
}

async function lives(options: SinkLivesOptions): Promise<SinkLives> {
  const { target, database, records, kills, faults, moments = [50, 300, 1000] } = options;
  const random = seeded(options.seed);
  const { counts } = expectedOf(records);
  const taken = new Sightings('service', counts);
  let happened = (): void => undefined;
  const meetings: readonly Meeting[] = ['before', 'after', ...Array<Meeting>(10).fill('take')];
  const service = await startService(
    () => {
      happened();
      return pick(random, meetings);
    },
    (rows, key) => taken.see(rows as Row[], key, true),
  );
  const pool = database?.pool();
  await pool?.query('CREATE TABLE rows (id int, "user" text, count int, text text, at bigserial)');
  const task: SinksTask = {
    ...(await prepare(target, '', records, 3000)),
    database: database?.url,
    service: service.url,
  };
  const readers = [
    ...formats.map((format) => new FilesReader(target, `out/${format}/`, new Sightings(format, counts))),
    ...(pool === undefined ? [] : [new TableReader(pool, new Sightings('table', counts))]),
  ];
  const processes: JobProcess[] = [];
  const start = (): JobProcess => {
    const process = new JobProcess(task, target.env, 'sinksJob');
    process.listen(() => {
      happened();
    });
    processes.push(process);
    return process;
  };
  const { hooks } = target;
  if (hooks !== undefined) {
    hooks.observe = () => {
      happened();
    };
    const failing = faults ? randomFaults(random) : () => undefined;
    // The input is what paces the job.
    hooks.faults = (request) =>
      failing(request) ?? (request.key.startsWith('raw/') ? { delay: 10 } : undefined);
  }
  /** Resolves after a random number of events; to `false` if the process ends before. */
  const moment = async (process: JobProcess): Promise<boolean> => {
    if ((await progress(process)) === undefined) return false;
    let left = between(random, 0, pick(random, moments));
    const reached = new Promise<boolean>((resolve) => {
      happened = () => {
        if (left-- <= 0) resolve(true);
      };
    });
    return Promise.race([reached, process.exit.then(() => false)]);
  };

  let looks = 0;
  let over = false;
  const look = async (): Promise<void> => {
    while (!over) {
      for (const reader of readers) await reader.look();
      looks++;
      await wait(20);
    }
  };
  const looking = look();
  try {
    let killed = 0;
    for (;;) {
      const process = start();
      if (killed < kills && (await moment(process))) process.signal('SIGKILL');
      // A reader that fails ends it.
      const exit = await Promise.race([process.exit, looking.then(() => process.exit)]);
      if (exit.signal === 'SIGKILL') killed++;
      else if (finished(exit)) break;
    }
    if (hooks !== undefined) hooks.faults = () => undefined;
    finished(await start().exit);
    over = true;
    await looking;
    for (const reader of readers) await reader.conclude();
    const leftovers = await leftoversBelow(target.s3, target.bucket, '');
    const sightings = [taken, ...readers.map((reader) => reader.sightings)];
    const lines = processes.flatMap((process) => process.lines);
    return {
      kills: killed,
      checkpoints: lines.filter(({ type }) => type === 'checkpoint-durable').length,
      records: sightings.reduce((sum, { seen }) => sum + seen, 0),
      lost: sightings.reduce((sum, { lost }) => sum + lost, 0),
      duplicated: sightings.reduce((sum, { duplicated }) => sum + duplicated, 0),
      wrong: sightings.flatMap(({ wrong }) => wrong),
      leftovers,
      files: (await keysBelow(target.s3, target.bucket, 'out/')).length,
      looks,
    };
  } finally {
    over = true;
    await Promise.all(processes.map((each) => each.end()));
    await looking.catch(() => undefined);
    await service.close();
  }
}

/** Reads each file as soon as it is there. */
class FilesReader {
  readonly #read = new Set<string>();

  constructor(
    private readonly target: Target,
    private readonly folder: string,
    readonly sightings: Sightings,
  ) {}

  async look(): Promise<void> {
    const keys = await this.#keys();
    for (const key of keys) {
      if (this.#read.has(key)) continue;
      this.#read.add(key);
      await this.#see(key, this.sightings);
    }
    const gone = [...this.#read].filter((key) => !keys.includes(key));
    if (gone.length > 0) this.sightings.wrong.push(`gone: ${gone.join()}`);
  }

  /** Files have not changed since they were read first. */
  async conclude(): Promise<void> {
    await this.look();
    const again = this.sightings.afresh();
    for (const key of await this.#keys()) await this.#see(key, again);
    this.sightings.wrong.push(...again.wrong);
    this.sightings.duplicated += again.duplicated;
  }

  #keys(): Promise<string[]> {
    return keysBelow(this.target.s3, this.target.bucket, this.folder);
  }

  async #see(key: string, sightings: Sightings): Promise<void> {
    const { Body } = await this.target.s3.send(
      new GetObjectCommand({ Bucket: this.target.bucket, Key: key }),
    );
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    sightings.see(recordsOf(key, bytes) as Row[], key, false);
  }
}

type Pool = ReturnType<PostgresServer['pool']>;

/** Reads rows as soon as they are committed. */
class TableReader {
  #last = 0;

  constructor(
    private readonly pool: Pool,
    readonly sightings: Sightings,
  ) {}

  async look(): Promise<void> {
    const rows = await this.#after(this.#last);
    this.sightings.see(rows, 'a query', true);
    this.#last = Number(rows.at(-1)?.at ?? this.#last);
  }

  async conclude(): Promise<void> {
    await this.look();
    const again = this.sightings.afresh();
    again.see(await this.#after(0), 'all rows', true);
    this.sightings.wrong.push(...again.wrong);
    this.sightings.duplicated += again.duplicated;
  }

  async #after(at: number): Promise<(Row & { readonly at: string })[]> {
    const { rows } = await this.pool.query<Row & { readonly at: string }>(
      'SELECT id, "user", count, text, at FROM rows WHERE at > $1 ORDER BY at',
      [at],
    );
    return rows;
  }
}
