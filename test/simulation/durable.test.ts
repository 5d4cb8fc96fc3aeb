import { createJob, fileSink, loadConfig, ndjson, records, silentLogger, type Json, values } from 'millrace';
import { createStores, type ObjectStore } from 'millrace/stores';
import type { Source } from 'millrace/operators';
import { SimulatedClock } from 'millrace/testing';
import { map } from 'rxjs';
import { crashes, live, type LivesOptions } from './lives.js';
import type { Surroundings } from './surroundings.js';
import { keysOf, textOf } from './world.js';
import { effort } from '../support/effort.js';

/** An external queue: what was deleted from it is gone. */
class Queue {
  readonly length = 60;
  /** Messages before this one are deleted. */
  deleted = 0;
  readonly reported: { readonly epoch: number; readonly position: number; readonly checkpoint: number }[] =
    [];
  /** The start position of each restored attempt, by epoch. */
  readonly restored = new Map<number, number>();

  take(index: number): number {
    if (index < this.deleted) throw new Error(`Message ${index} is asked for again, and was deleted.`);
    return index;
  }
}

/** One message a millisecond, so that there are many checkpoints. */
function queued(queue: Queue): Source<number> {
  return {
    description: 'queue',
    open: ({ position, attempt, ready }) => {
      const { epoch } = attempt;
      let next = position === undefined ? 0 : (position as number);
      if (position !== undefined) queue.restored.set(epoch, next);
      let bytes = 0;
      let due = true;
      const timer = { wait: undefined as { unsubscribe(): void } | undefined };
      return {
        poll(out) {
          if (next === queue.length) return 'end';
          if (!due) return 'wait';
          due = false;
          out.record(queue.take(next++));
          bytes += 8;
          timer.wait = attempt.clock.after(1, () => {
            due = true;
            ready();
          });
          return 'more';
        },
        position: (): Json => next,
        durable: (durable, checkpoint) => {
          queue.reported.push({ epoch, position: durable as number, checkpoint });
          queue.deleted = Math.max(queue.deleted, durable as number);
        },
        get bytes() {
          return bytes;
        },
        close: () => timer.wait?.unsubscribe(),
      };
    },
  };
}

function jobOver(queue: Queue): Omit<LivesOptions, 'fates'> {
  return {
    begin: (surroundings: Surroundings) => {
      const job = createJob({
        name: 'queue',
        checkpoints: { dir: 'memory://lake/checkpoints', interval: 5, timeout: 40, tolerableFailures: 99 },
        config: loadConfig({ env: {}, file: false }),
        restart: 'none',
        logger: silentLogger,
        ...surroundings,
      });
      const leaf = job
        .source('in', queued(queue))
        .pipe(
          records(map((id) => ({ id }))),
          fileSink('out', 'memory://lake/out', { format: ndjson(), roll: { size: 64 } }),
        );
      return { job, leaf };
    },
  };
}

const published = (world: ObjectStore): number[] =>
  keysOf(world, 'out/')
    .flatMap((key) => textOf(world, key).split('\n'))
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { id: number }).id);

describe('durable positions that a source receives', () => {
  it('include every durable checkpoint in order, and the last one', () => {
    const queue = new Queue();
    const { checkpoints, world } = live({ ...jobOver(queue), fates: [] });
    expect(published(world)).toHaveLength(queue.length);
    expect(queue.reported).toHaveLength(checkpoints);
    expect(checkpoints).toBeGreaterThan(5);
    expect(queue.reported.at(-1)).toMatchObject({ position: queue.length, checkpoint: checkpoints });
    const numbers = queue.reported.map(({ checkpoint }) => checkpoint);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('are never read again, wherever the process crashes', () => {
    // Each life has a queue of its own, and begins with the one before it: the process that recovers has the same.
    let queue = new Queue();
    let recovered = 0;
    const begin: LivesOptions['begin'] = (surroundings) => jobOver(queue).begin(surroundings);
    for (const { world } of crashes({ begin, fill: () => (queue = new Queue()) }, effort(9, 1))) {
      expect(published(world).sort((a, b) => a - b)).toEqual(
        Array.from({ length: queue.length }, (_, i) => i),
      );
      expect(queue.deleted).toBe(queue.length);
      const positions = queue.reported.map(({ position }) => position);
      expect(positions).toEqual([...positions].sort((a, b) => a - b));
      // The attempt before may have died before it acted on its last report, or before it made it.
      for (const [epoch, position] of queue.restored)
        expect(queue.reported.find((each) => each.epoch === epoch)?.position).toBe(position);
      recovered += queue.restored.size;
    }
    expect(recovered).toBeGreaterThan(0);
  });

  it('include the last one if the end of the attempt waits for nothing', () => {
    const queue = new Queue();
    const clock = new SimulatedClock();
    const job = createJob({
      name: 'queue',
      checkpoints: { dir: 'memory://lake/checkpoints' },
      config: loadConfig({ env: {}, file: false }),
      logger: silentLogger,
      clock,
      stores: createStores({ clock }),
    });
    void job.run(job.source('in', queued(queue)).pipe(values()));
    while (clock.step());
    expect(queue.deleted).toBe(queue.length);
  });
});
