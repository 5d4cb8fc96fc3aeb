/**
 * Starts the job, kills it, and starts it again, until it finishes by itself.
 *
 * A kill counts only if it ended a live process after new durable progress: since the last kill the store has accepted
 * a checkpoint whose source positions are new. This is not asked of the job: the proxy reads what it commits. The
 * pace spreads the kills over the input.
 */
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import type { Aim, Kind, Moment } from './aim.js';
import { kill, type Children } from './children.js';
import type { Input, JobMessage, JobTask } from './job.js';
import type { Pace } from './pace.js';

export interface Progress {
  /** Events processed, for the progress bar: those of the newest checkpoint and those since. */
  readonly events: number;
  /** What the source has listed and read, as the job reports it. */
  readonly input: Input | undefined;
  /** Durable ones. */
  readonly checkpoints: number;
  readonly kills: number;
}

export interface SuperviseOptions {
  readonly children: Children;
  readonly task: JobTask;
  /** How the job reaches its store. */
  readonly env: NodeJS.ProcessEnv;
  readonly kills: number;
  readonly aim: Aim;
  readonly pace: Pace;
  readonly onProgress: (progress: Progress) => void;
  readonly onKill: (kind: Kind, moment: Moment, progress: Progress) => void;
}

export class Supervisor {
  readonly #options: SuperviseOptions;
  #child: ChildProcess | undefined;
  #checkpoints = 0;
  #kills = 0;
  /** Those of the newest checkpoint; the first one, which may be of the very start, is no progress yet. */
  #positions: string | undefined;
  #progressed = false;
  /** Events of the newest durable checkpoint, at the running child's start and now; and since its start. */
  #base = 0;
  #durable = 0;
  #since = 0;
  #input: Input | undefined;

  constructor(options: SuperviseOptions) {
    this.#options = options;
  }

  get progress(): Progress {
    return {
      events: this.#base + this.#since,
      input: this.#input,
      checkpoints: this.#checkpoints,
      kills: this.#kills,
    };
  }

  /** Runs the job to its end, through all kills. Rejects if it ends in any other way. */
  async run(): Promise<void> {
    for (;;) {
      const before = this.#kills;
      const child = (this.#child = this.#options.children.fork(
        'job.js',
        this.#options.task,
        this.#options.env,
      ));
      this.#base = this.#durable;
      this.#since = 0;
      child.on('message', (message: JobMessage) => {
        this.#since = message.events;
        this.#input = message.input ?? this.#input;
        this.#options.onProgress(this.progress);
      });
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      if (code === 0) return;
      if (signal !== 'SIGKILL' || this.#kills === before) {
        throw new Error(`The job ended by itself (${(signal ?? code ?? 0).toString()}): see above.`);
      }
    }
  }

  /** The store has accepted an entry of the job's log. */
  readonly committed = (entry: Buffer): void => {
    const positions = checkpointedPositions(entry);
    if (positions === undefined) return;
    this.#checkpoints++;
    this.#durable = this.#base + this.#since;
    if (this.#positions !== undefined && positions !== this.#positions) this.#progressed = true;
    this.#positions = positions;
    const { aim, pace, kills } = this.#options;
    if (this.#progressed && pace.due && this.#kills < kills) aim.progressed();
    this.#options.onProgress(this.progress);
  };

  /** The proxy holds a target: end the job there. `true` if that counts as a kill. */
  readonly strike = async (kind: Kind, moment: Moment): Promise<boolean> => {
    const { aim, pace, onKill } = this.#options;
    if (this.#child === undefined || !this.#progressed || !aim.armed) return false;
    this.#kills++; // before the kill, so that `run` knows its cause
    if (!(await kill(this.#child))) {
      this.#kills--;
      return false;
    }
    this.#progressed = false;
    aim.strike(kind, moment);
    pace.killed();
    onKill(kind, moment, this.progress);
    return true;
  };
}

/** The source positions in a manifest of kind checkpoint: a header line, then JSON. `undefined` for other entries. */
export function checkpointedPositions(entry: Buffer): string | undefined {
  try {
    const manifest = JSON.parse(entry.toString('utf8', entry.indexOf(10) + 1)) as {
      readonly kind?: string;
      readonly operators?: Readonly<Record<string, { readonly kind?: string; readonly snapshot?: unknown }>>;
    };
    if (manifest.kind !== 'checkpoint') return undefined;
    const sources = Object.entries(manifest.operators ?? {}).filter(([, { kind }]) => kind === 'source');
    return JSON.stringify(sources.map(([id, { snapshot }]) => [id, snapshot]));
  } catch {
    return undefined;
  }
}
