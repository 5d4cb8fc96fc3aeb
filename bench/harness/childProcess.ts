import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Measured, Params } from './workload.js';

export type Order =
  | { readonly type: 'start'; readonly module: string; readonly start: string; readonly params: Params }
  | { readonly type: 'round' }
  | { readonly type: 'close' };

export type Answer =
  | { readonly type: 'started'; readonly info: Params }
  | { readonly type: 'measured'; readonly measured: Measured }
  | { readonly type: 'closed' }
  | { readonly type: 'failed'; readonly text: string };

/** Which code a child runs: `start` is the name of an exported `Start` in `module`, a file URL. */
export interface Program {
  readonly module: string;
  readonly start: string;
}

/** A workload in its own process, so that nothing else affects its heap, JIT and CPU time. */
export class Child {
  readonly info: Params;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, info: Params) {
    this.#process = process;
    this.info = info;
  }

  /** Resolves when the workload is set up. */
  static async start(program: Program, params: Params): Promise<Child> {
    const process = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [], {
      execArgv: ['--expose-gc', '--no-warnings', '--enable-source-maps'],
      serialization: 'advanced',
    });
    try {
      const answer = await ask(process, { type: 'start', ...program, params });
      if (answer.type !== 'started') throw new Error(`unexpected answer ${answer.type}`);
      return new Child(process, answer.info);
    } catch (error) {
      process.kill('SIGKILL');
      throw error;
    }
  }

  async round(): Promise<Measured> {
    const answer = await ask(this.#process, { type: 'round' });
    if (answer.type !== 'measured') throw new Error(`unexpected answer ${answer.type}`);
    return answer.measured;
  }

  /** Closes the workload; resolves when its process has exited. */
  async close(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    try {
      await ask(child, { type: 'close' });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      await gone;
    }
  }
}

function ask(child: ChildProcess, order: Order): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      child.off('message', answered);
      child.off('exit', exited);
      then();
    };
    const answered = (answer: Answer): void => {
      settle(() => {
        if (answer.type === 'failed') reject(new Error(answer.text));
        else resolve(answer);
      });
    };
    const exited = (code: number | null, signal: string | null): void => {
      settle(() => reject(new Error(`the child process ended with ${signal ?? `code ${String(code)}`}`)));
    };
    child.on('message', answered);
    child.on('exit', exited);
    child.send(order, (error) => {
      if (error !== null) settle(() => reject(error));
    });
  });
}
