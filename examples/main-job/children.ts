/**
 * The demo's child processes, all of which end with it. A child that loses its channel exits, so even a killed demo
 * leaves none behind.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export class Children {
  readonly #running = new Set<ChildProcess>();
  #over = false;

  /** Starts a sibling module with a channel for messages. Its output goes to stderr. */
  fork(module: string, argument: unknown, env: NodeJS.ProcessEnv = {}): ChildProcess {
    return this.#track(
      fork(here(module), [JSON.stringify(argument)], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 2, 'inherit', 'ipc'],
      }),
    );
  }

  /** Runs a sibling module to its end and returns its output. */
  async output(module: string, argument: unknown): Promise<string> {
    const child = this.#track(
      spawn(process.execPath, [here(module), JSON.stringify(argument)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${module} failed: see above.`);
    return text;
  }

  /** Kills all and waits until they have exited. No more can be started. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all([...this.#running].map((child) => kill(child)));
  }

  #track<C extends ChildProcess>(child: C): C {
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    if (this.#over) child.kill('SIGKILL');
    return child;
  }
}

/** Sends SIGKILL and waits. Returns whether that ended it. */
export async function kill(child: ChildProcess): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return false;
  const gone = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  child.kill('SIGKILL');
  const [, signal] = await gone;
  return signal === 'SIGKILL';
}

/** The next message that matches. Rejects if the child ends first. */
export function message<M>(child: ChildProcess, wanted: (message: M) => boolean = () => true): Promise<M> {
  return new Promise((resolve, reject) => {
    const onMessage = (received: unknown): void => {
      if (!wanted(received as M)) return;
      child.off('message', onMessage).off('exit', onExit);
      resolve(received as M);
    };
    const onExit = (code: number | null, signal: string | null): void => {
      reject(
        new Error(
          `${child.spawnargs[1] ?? 'A process'} ended (${(signal ?? code ?? 0).toString()}): see above.`,
        ),
      );
    };
    child.on('message', onMessage).once('exit', onExit);
  });
}

function here(module: string): string {
  return fileURLToPath(new URL(module, import.meta.url));
}
