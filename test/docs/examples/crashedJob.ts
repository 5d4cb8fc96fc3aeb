import { createJob, fileSink, files, silentLogger, text } from 'millrace';
import { createStores, type ObjectStore } from 'millrace/stores';
import { crashAt, SimulatedClock } from 'millrace/testing';

/** Runs a job whose process dies at its n-th request. Returns whether the job finished before that. */
export function runUntil(lake: ObjectStore, n: number): boolean {
  const clock = new SimulatedClock();
  const process = crashAt(lake, n, 'after');
  const job = createJob({
    name: 'copy',
    checkpoints: { dir: 'memory://lake/checkpoints', interval: '10s' },
    stores: createStores({ schemes: { memory: () => process.store }, clock }),
    clock,
    logger: silentLogger,
  });
  let finished = false;
  job.events$.subscribe(({ type }) => {
    if (type === 'finished') finished = true;
  });
  const lines = job.source('in', files('memory://lake/in/', { format: text() }));
  void job.run(lines.pipe(fileSink('out', 'memory://lake/out', { format: text() })));
  clock.run(() => finished || process.dead);
  return finished;
}
