/** A job process, driven by what it prints. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Line, Task } from './job.js';

/** Under Jest this module is the source, but the programs are always the compiled ones. */
const programs = new URL(
  import.meta.url.endsWith('.ts') ? '../../build/test/processes/' : './',
  import.meta.url,
);

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last line. */
  readonly last: Line | undefined;
}

export class JobProcess {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(line: Line) => void>();
  readonly lines: Line[] = [];
  /** Resolves when it has exited and all its output has arrived. */
  readonly exit: Promise<Exit>;

  constructor(task: Task, env: NodeJS.ProcessEnv, program: 'job' | 'sinksJob' = 'job') {
    const path = fileURLToPath(new URL(`${program}.js`, programs));
    const child = spawn(process.execPath, [path, JSON.stringify(task)], {
      env: { ...process.env, NODE_NO_WARNINGS: '1', NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.#heard(text);
    });
    this.exit = once(child, 'close').then((ended) => {
      const [code, signal] = ended as [number | null, NodeJS.Signals | null];
      return { code, signal, last: this.lines.at(-1) };
    });
  }

  /** Receives every line from now on, until the returned function is called. */
  listen(listener: (line: Line) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next line that matches; `undefined` if it exits first. */
  line(wanted: (line: Line) => boolean): Promise<Line | undefined> {
    return new Promise((resolve, reject) => {
      const stop = this.listen((line) => {
        if (!wanted(line)) return;
        stop();
        resolve(line);
      });
      this.exit.then(() => resolve(undefined), reject);
    });
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it in any case. */
  async end(): Promise<void> {
    this.signal('SIGKILL');
    await this.exit;
  }

  #heard(text: string): void {
    let line: Line;
    try {
      line = JSON.parse(text) as Line;
    } catch {
      return; // cut off by a kill
    }
    this.lines.push(line);
    for (const listener of [...this.#listeners]) listener(line);
  }
}

/** Whether the job has finished; throws if it has ended otherwise. */
export function finished(exit: Exit): true {
  if (exit.code !== 0 || exit.last?.['outcome'] !== 'finished') throw ended(exit);
  return true;
}

export function ended(exit: Exit): Error {
  return new Error(`The job ended as it must not: ${JSON.stringify(exit)}`);
}
