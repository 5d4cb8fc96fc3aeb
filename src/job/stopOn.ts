/**
 * An `AbortSignal` that fires on the first of these process signals, for `job.run(…, { signal })`. The job takes a last
 * checkpoint and ends. A second signal has its usual effect, so an impatient Ctrl-C still kills.
 *
 * @example
 * ```ts
 * await job.run(clicks, { signal: stopOn('SIGTERM', 'SIGINT') });
 * ```
 */
export function stopOn(...signals: readonly NodeJS.Signals[]): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    for (const name of signals) process.removeListener(name, stop);
    controller.abort();
  };
  for (const name of signals) process.on(name, stop);
  return controller.signal;
}
