import { constants } from 'node:os';
import { InvalidOption } from '../config/units.js';

interface Watch {
  users: number;
  start(): void;
  stop(): void;
}

const deaf: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP']);

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * An `AbortSignal` that is aborted on the first of these process signals, for `job.run(…, { signal })`. The job takes
 * a last checkpoint and ends. A second signal has its default effect, so another Ctrl-C still kills. Once the runs
 * that use it are over, signals have their default effect again.
 *
 * @example
 * ```ts
 * await job.run(clicks, { signal: stopOn('SIGTERM', 'SIGINT') });
 * ```
 *
 * Errors: `InvalidOption` for a signal that this system does not have, or that a process cannot handle.
 */
export function stopOn(...signals: readonly NodeJS.Signals[]): AbortSignal {
  if (signals.length === 0) throw new InvalidOption('stopOn', undefined, 'one signal or more');
  for (const name of signals)
    if (!Object.hasOwn(constants.signals, name) || deaf.has(name))
      throw new InvalidOption(
        'stopOn',
        name,
        "a signal that a process can listen to, such as 'SIGTERM' or 'SIGINT'",
      );
  const controller = new AbortController();
  const fire = (): void => {
    watch.stop();
    controller.abort();
  };
  const watch: Watch = {
    users: 0,
    start: () => {
      if (!controller.signal.aborted) for (const name of signals) process.on(name, fire);
    },
    stop: () => {
      for (const name of signals) process.removeListener(name, fire);
    },
  };
  watch.start();
  watches.set(controller.signal, watch);
  return controller.signal;
}

/**
 * Marks the signal as used by a run, until the returned function is called. Ignores signals not created by {@link stopOn}.
 */
export function held(signal: AbortSignal | undefined): () => void {
  const watch = signal === undefined ? undefined : watches.get(signal);
  if (watch === undefined) return () => undefined;
  if (watch.users++ === 0) {
    watch.stop();
    watch.start();
  }
  return () => {
    if (--watch.users === 0) watch.stop();
  };
}
