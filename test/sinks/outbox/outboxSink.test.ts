import { from, NEVER, Observable, of, tap } from 'rxjs';
import type { createMemoryStore } from '../../../src/store/memory/index.js';
import { decorate } from '../../../src/store/decorators/decorate.js';
import { spilling } from '../../../src/store/services.js';
import { MillraceError } from '../../../src/errors.js';
import { open, type Signal } from '../../../src/flow/index.js';
import { LowerEpoch, isNewBatch, type OutboxMark } from '../../../src/sinks/outbox/mark.js';
import { PoisonBatch, PublishFailed } from '../../../src/sinks/outbox/errors.js';
import { outboxSink } from '../../../src/sinks/outbox/outboxSink.js';
import type { OutboxSinkOptions } from '../../../src/sinks/outbox/options.js';
import { memoryServices } from '../../../src/testing/memoryServices.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';
import { TestAttempt } from '../../../src/testing/testAttempt.js';
import { Run, World, type Line } from '../harness.js';
import { Target, type Meeting } from './target.js';

const mark: OutboxMark = { jobId: 'job', sink: 'out', checkpoint: 2, sequence: 3, epoch: 4 };

interface Given extends Partial<OutboxSinkOptions<Line>> {
  readonly wrap?: (store: ReturnType<typeof createMemoryStore>) => ReturnType<typeof createMemoryStore>;
  readonly dead?: () => boolean;
}

function start(world: World, target: Target, { wrap, dead, ...options }: Given = {}): Run {
  const operator = outboxSink<Line>('out', {
    publish: target.publish,
    maxBatch: { records: 2 },
    retry: { tries: 3, initial: 100 },
    timeout: 1000,
    ...options,
  });
  return new Run(world, {
    operator,
    auto: false,
    ...(wrap !== undefined && { wrap }),
    ...(dead !== undefined && { dead }),
  });
}

function write(run: Run, ...texts: string[]): void {
  for (const text of texts) run.line('', text);
}

/** A checkpoint, durable and published. */
function checkpoint(run: Run): void {
  run.barrier();
  run.durable();
}

const rejects = { onPoison: { deadLetter: 'memory://lake/rejects' } };

test('batches are published in order after their checkpoint is durable, each with its mark', () => {
  const world = new World();
  const target = new Target();
  const run = start(world, target);
  write(run, 'a', 'b', 'c');
  run.barrier();
  expect(target.calls).toEqual([]);
  run.durable();
  write(run, 'd');
  checkpoint(run);
  expect(target.rows).toEqual(['a', 'b', 'c', 'd']);
  expect(
    target.calls.map(({ mark: { checkpoint: at, sequence, epoch, jobId } }) => [at, sequence, epoch, jobId]),
  ).toEqual([
    [1, 0, 1, world.jobId],
    [1, 1, 1, world.jobId],
    [2, 0, 1, world.jobId],
  ]);
  expect(run.events.map(({ type, records, uri }) => [type, records, uri])).toEqual([
    ['committed', 3, 'outbox:out'],
    ['committed', 1, 'outbox:out'],
  ]);
});

test('an interval of any length takes no more memory than the budget: batches move to journals', () => {
  const world = new World();
  const target = new Target();
  const run = start(world, target, { budget: '16KiB', maxBatch: { records: 50 } });
  const texts = Array.from({ length: 5000 }, (_, i) => `row ${i}`);
  for (const [i, text] of texts.entries()) {
    write(run, text);
    run.credit(i);
  }
  expect(run.released.at(-1)?.bytes).toBe(4999);
  expect(world.keys('cp').length).toBeGreaterThan(20);
  checkpoint(run);
  expect(target.rows).toEqual(texts);
  run.settle();
  expect(world.keys('cp')).toEqual([]);
});

test('sources wait while journals are not stored, and while a target does not take its backlog', () => {
  const world = new World();
  const target = new Target();
  const held: (() => void)[] = [];
  let hold = true;
  const run = start(world, target, {
    budget: 4096,
    backlog: 100,
    wrap: (store) =>
      decorate(store, (call, answer) =>
        hold && call.method === 'put'
          ? new Observable((out) => {
              held.push(() => answer.subscribe(out));
            })
          : answer,
      ),
  });
  let sent = 0;
  const send = (count: number): void => {
    for (let i = 0; i < count; i++) {
      write(run, `row ${sent}`);
      run.credit(++sent);
    }
  };
  send(400);
  expect(run.released.at(-1)!.bytes).toBeLessThan(300);
  hold = false;
  for (const go of held) go();
  expect(run.released.at(-1)!.bytes).toBe(400);
  target.meet = () => 'later';
  checkpoint(run);
  send(1);
  expect(run.released.at(-1)!.bytes).toBe(400);
  target.meet = () => 'take';
  target.release();
  expect(run.released.at(-1)!.bytes).toBe(401);
  expect(target.rows).toHaveLength(400);
});

describe('crash points', () => {
  test('before the checkpoint is durable: nothing was published', () => {
    const world = new World();
    const target = new Target();
    const first = start(world, target);
    write(first, 'a');
    first.barrier();
    const second = start(world, target);
    write(second, 'b');
    checkpoint(second);
    expect(target.rows).toEqual(['b']);
  });

  test('durable, and not published: the next attempt publishes', () => {
    const world = new World();
    const target = new Target();
    const first = start(world, target);
    write(first, 'a', 'b', 'c');
    first.barrier();
    first.durable(false);
    start(world, target);
    expect(target.rows).toEqual(['a', 'b', 'c']);
    expect(target.calls[0]!.mark).toMatchObject({ checkpoint: 1, sequence: 0, epoch: 2 });
  });

  test('between two batches, and with the answer lost: the target takes what it lacks', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => (target.calls.length === 2 ? 'after' : target.calls.length > 2 ? 'later' : 'take');
    const first = start(world, target);
    write(first, 'a', 'b', 'c', 'd', 'e');
    checkpoint(first);
    expect(target.rows).toEqual(['a', 'b', 'c', 'd']);
    target.meet = () => 'take';
    start(world, target);
    expect(target.rows).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('a zombie that continues is refused with LowerEpoch', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => 'later';
    const zombie = start(world, target);
    write(zombie, 'a', 'b', 'c', 'd');
    checkpoint(zombie);
    target.meet = () => 'take';
    start(world, target);
    target.release();
    expect(zombie.error).toMatchObject({ code: 'LowerEpoch', retryable: false });
    expect(target.rows).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a batch has the same records under other limits', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => (target.calls.length > 1 ? 'later' : 'take');
    const first = start(world, target);
    write(first, 'a', 'b', 'c', 'd');
    checkpoint(first);
    target.meet = () => 'take';
    start(world, target, { maxBatch: { records: 100 } });
    expect(target.rows).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a batch is tried again', () => {
  test('with backoff on the clock of the job, until the target takes it', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => 'before';
    const run = start(world, target, rejects);
    write(run, 'a');
    checkpoint(run);
    expect(target.calls).toHaveLength(1);
    world.clock.advance(100);
    expect(target.calls).toHaveLength(2);
    world.clock.advance(200);
    expect(target.calls).toHaveLength(3);
    world.clock.advance(3_600_000);
    expect(target.calls.length).toBeGreaterThan(100);
    expect(run.error).toBeUndefined();
    target.meet = () => 'take';
    world.clock.advance(30_000);
    expect(target.rows).toEqual(['a']);
    expect(run.events.slice(0, 2).map(({ type, tried }) => [type, tried])).toEqual([
      ['publish-retried', 1],
      ['publish-retried', 2],
    ]);
    expect(world.keys('rejects')).toEqual([]);
  });

  test('and after the last barrier as often as `tries`; then the attempt ends with a retryable error', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => 'before';
    const run = start(world, target, rejects);
    write(run, 'a');
    run.barrier('stop');
    run.durable();
    world.clock.advance(300);
    expect(target.calls).toHaveLength(3);
    expect(run.error).toMatchObject({ code: 'PublishFailed', retryable: true });
  });

  test('but not if `publish` returns nothing, which is a mistake in the program', () => {
    const world = new World();
    let calls = 0;
    const nothing = (): void => {
      calls++;
    };
    const run = start(world, new Target(), { ...rejects, publish: nothing as never });
    write(run, 'a');
    checkpoint(run);
    expect(calls).toBe(1);
    expect(run.error).toMatchObject({ code: 'InvalidOption' });
  });

  test('and only errors of unknown kind count towards poison', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => (target.calls.length % 2 === 0 ? 'strange' : 'before');
    const run = start(world, target, rejects);
    write(run, 'a');
    checkpoint(run);
    for (let i = 0; i < 4; i++) world.clock.advance(30_000);
    expect(target.calls.length).toBeGreaterThan(3);
    run.settle();
    expect(world.keys('rejects')).toHaveLength(1);
    expect(target.calls).toHaveLength(6);
  });

  test('if it fails with nothing at all, too', () => {
    const world = new World();
    let tries = 0;
    const run = start(world, new Target(), {
      publish: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- as careless code does
        if (++tries === 1) throw undefined;
        return [];
      },
    });
    write(run, 'a');
    checkpoint(run);
    world.clock.advance(1000);
    expect(tries).toBe(2);
    expect(run.error).toBeUndefined();
  });

  test('no earlier than the target asks for', () => {
    const world = new World();
    let tries = 0;
    const run = start(world, new Target(), {
      publish: () => {
        if (++tries > 1) return [];
        throw new PublishFailed('busy', { retryAfter: 5000 });
      },
    });
    write(run, 'a');
    checkpoint(run);
    world.clock.advance(4999);
    expect(tries).toBe(1);
    world.clock.advance(1);
    expect(tries).toBe(2);
    expect(run.error).toBeUndefined();
  });

  test('after the timeout, with the signal aborted', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => (target.calls.length === 1 ? 'later' : 'take');
    const run = start(world, target);
    write(run, 'a');
    checkpoint(run);
    expect(target.aborted).toBe(0);
    world.clock.advance(1100);
    expect(target.aborted).toBe(1);
    target.release();
    expect(target.rows).toEqual(['a']);
  });

  test('and is aborted when the attempt ends, and only then', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => 'later';
    const run = start(world, target);
    write(run, 'a');
    checkpoint(run);
    run.stop();
    expect(target.aborted).toBe(1);
    target.meet = () => 'take';
    const next = start(world, target);
    next.stop();
    expect(target.aborted).toBe(1);
  });
});

describe('poison', () => {
  const poisoned = (given: Given = {}) => {
    const world = new World();
    const target = new Target();
    const run = start(world, target, given);
    write(run, 'a', 'b', 'poison', 'c', 'd');
    checkpoint(run);
    return { world, target, run };
  };

  test('ends the job', () => {
    const { target, run } = poisoned();
    expect(target.rows).toEqual(['a', 'b']);
    expect(run.error).toMatchObject({
      code: 'PoisonBatch',
      retryable: false,
      cause: expect.any(PoisonBatch) as object,
    });
    expect(String(run.error)).toContain("batch 1 of checkpoint 1 of sink 'out'");
  });

  test('goes to the dead letters once a manifest says so, and the next batches follow', () => {
    const { world, target, run } = poisoned(rejects);
    expect(target.rows).toEqual(['a', 'b']);
    expect(world.keys('rejects')).toEqual([]);
    run.settle();
    expect(target.rows).toEqual(['a', 'b', 'd']);
    const [key = ''] = world.keys('rejects');
    expect(
      world
        .content(key)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {
        job: 'test',
        mark: {
          jobId: world.jobId,
          sink: 'out',
          checkpoint: 1,
          sequence: 1,
          epoch: 1,
          origin: expect.any(String) as string,
        },
        records: 2,
        error: { code: 'PoisonBatch', message: 'A row is poison.' },
      },
      { p: '', text: 'poison' },
      { p: '', text: 'c' },
    ]);
    expect(run.events).toEqual([
      expect.objectContaining({ type: 'batch-dead-lettered', records: 2, uri: `memory://lake/${key}` }),
      expect.objectContaining({ type: 'committed', records: 3 }),
    ]);
    run.settle();
    expect(world.manifest.pending).toEqual([]);
  });

  test('is there or in the target, also if the target has changed its mind meanwhile', () => {
    for (const durable of [false, true]) {
      const world = new World();
      const target = new Target();
      const run = start(world, target, rejects);
      write(run, 'poison');
      checkpoint(run);
      if (durable) run.settle();
      target.refuses = 'nothing';
      start(world, target, rejects).settle();
      expect([target.rows.length, world.keys('rejects').length]).toEqual(durable ? [0, 1] : [1, 0]);
    }
  });

  test('is what fails with an error of unknown kind at each try', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => 'strange';
    const run = start(world, target, rejects);
    write(run, 'a');
    checkpoint(run);
    world.clock.advance(1000);
    run.settle();
    expect(target.calls).toHaveLength(3);
    expect(world.content(world.keys('rejects')[0]!)).toContain('"code":"TypeError"');
  });

  test('is nothing that another error of millrace is about', () => {
    const world = new World();
    const run = start(world, new Target(), {
      ...rejects,
      publish: () => {
        throw new MillraceError('NoTable', 'There is no table.');
      },
    });
    write(run, 'a');
    checkpoint(run);
    expect(run.error).toMatchObject({ code: 'NoTable' });
  });

  test('that a checkpoint names needs its folder', () => {
    const { world, target, run } = poisoned(rejects);
    run.barrier();
    run.durable(false);
    expect(start(world, target).error).toMatchObject({ code: 'PoisonBatch' });
  });

  test('may have records without a JSON form', () => {
    const world = new World();
    const run = start(world, new Target(), {
      ...rejects,
      publish: () => {
        throw new PoisonBatch('no');
      },
    });
    write(run, new Map([['a', 1]]) as unknown as string);
    checkpoint(run);
    run.settle();
    expect(world.content(world.keys('rejects')[0]!)).toContain('millrace:encoded');
  });
});

describe('records', () => {
  test('that cannot be kept end the job, or are skipped', () => {
    const bad = (() => 1) as unknown as string;
    const strict = start(new World(), new Target());
    write(strict, bad);
    expect(strict.error).toMatchObject({ code: 'UnsupportedRecord' });
    const world = new World();
    const target = new Target();
    const lenient = start(world, target, { onUnencodable: 'skip' });
    write(lenient, 'a', bad, 'b');
    checkpoint(lenient);
    expect(target.rows).toEqual(['a', 'b']);
    expect(lenient.events[0]).toMatchObject({ type: 'record-skipped', count: 1 });
  });

  test('come back from a serializer of another version, and not from another serializer', () => {
    const serializer = (id: string, version: number) => ({
      id,
      version,
      encode: ({ text }: Line) => Buffer.from(text),
      decode: (bytes: Uint8Array, of: number): Line => ({
        p: '',
        text: `${Buffer.from(bytes).toString()}${of < version ? ' of old' : ''}`,
      }),
    });
    const world = new World();
    const target = new Target();
    const first = start(world, target, { serializer: serializer('mine', 1) });
    write(first, 'a');
    first.barrier();
    first.durable(false);
    expect(start(world, target, { serializer: serializer('other', 1) }).error).toMatchObject({
      code: 'FormatChanged',
    });
    start(world, target, { serializer: serializer('mine', 2) });
    expect(target.rows).toEqual(['a of old']);
  });

  test('that the serializer cannot decode any more are not poison', () => {
    const serializer = (decodes: boolean) => ({
      id: 'mine',
      version: 1,
      encode: ({ text }: Line) => Buffer.from(text),
      decode: (bytes: Uint8Array): Line => {
        if (!decodes) throw new TypeError('of the serializer');
        return { p: '', text: Buffer.from(bytes).toString() };
      },
    });
    const world = new World();
    const target = new Target();
    const first = start(world, target, { serializer: serializer(true) });
    write(first, 'a');
    first.barrier();
    first.durable(false);
    expect(start(world, target, { ...rejects, serializer: serializer(false) }).error).toMatchObject({
      code: 'FormatChanged',
    });
    expect(target.calls).toEqual([]);
    start(world, target, { ...rejects, serializer: serializer(true) });
    expect(target.rows).toEqual(['a']);
  });

  test('wait in manifests only if they are few: a target that is down does not make manifests large', () => {
    const world = new World();
    const target = new Target();
    target.meet = () => 'before';
    const run = start(world, target, { maxBatch: { records: 100 } });
    const text = 'x'.repeat(50_000);
    for (let i = 0; i < 40; i++) {
      write(run, text);
      checkpoint(run);
    }
    const inline = run.pending.reduce((sum, each) => sum + JSON.stringify(each).length, 0);
    expect(inline).toBeLessThan(1.5 * 2 ** 20);
    expect(world.keys('cp').length).toBeGreaterThan(15);
    target.meet = () => 'take';
    world.clock.advance(60_000);
    expect(target.rows).toHaveLength(40);
  });

  test('in a journal that somebody else has changed are refused', () => {
    const world = new World();
    const target = new Target();
    const first = start(world, target, { budget: 4096 });
    write(first, 'x'.repeat(2000));
    first.barrier();
    first.durable(false);
    const [key = ''] = world.keys('cp');
    world.store.put(key, Buffer.from('garbled')).subscribe();
    expect(start(world, target).error).toMatchObject({ code: 'CorruptJournal' });
    world.store.delete([key]).subscribe();
    expect(start(world, target).error).toMatchObject({ code: 'LostJournal' });
  });
});

test('marks are compared by epoch, then by checkpoint and sequence', () => {
  expect(isNewBatch(mark, undefined)).toBe(true);
  expect(isNewBatch(mark, mark)).toBe(false);
  expect(isNewBatch(mark, { epoch: 1, checkpoint: 2, sequence: 2 })).toBe(true);
  expect(isNewBatch(mark, { epoch: 4, checkpoint: 1, sequence: 9 })).toBe(true);
  expect(isNewBatch(mark, { epoch: 3, checkpoint: 3, sequence: 0 })).toBe(false);
  expect(() => isNewBatch(mark, { epoch: 5, checkpoint: 1, sequence: 0 })).toThrow(LowerEpoch);
});

describe('a log that is older than its target', () => {
  const lost = (options: { readonly crash?: boolean; readonly remembers?: 'numbers' } = {}) => {
    const world = new World();
    const target = new Target(options.remembers);
    const first = start(world, target);
    write(first, 'a', 'b');
    checkpoint(first);
    first.settle();
    const restore = world.backup();
    const second = options.crash === true ? start(world, target) : first;
    write(second, 'c', 'd', 'e');
    checkpoint(second);
    second.stop();
    restore();
    return { world, target };
  };
  const restart = ({ world, target }: ReturnType<typeof lost>): Run => {
    const run = start(world, target);
    write(run, 'x');
    checkpoint(run);
    return run;
  };

  test('is noticed when a new batch has the number of one that the target has', () => {
    const all = lost();
    for (let i = 0; i < 3; i++)
      expect(restart(all).error).toMatchObject({ code: 'TargetAhead', retryable: false });
    expect(all.target.rows).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('also if the epochs are the same, and in attempts that do not know that there was an error', () => {
    const all = lost({ crash: true });
    for (let i = 0; i < 3; i++) expect(restart(all).error).toMatchObject({ code: 'TargetAhead' });
    expect(all.target.rows).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('and if the target stores only numbers, unless the epochs are the same', () => {
    const all = lost({ remembers: 'numbers' });
    for (let i = 0; i < 3; i++) expect(restart(all).error).toMatchObject({ code: 'TargetAhead' });
    expect(all.target.rows).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(restart(lost({ remembers: 'numbers', crash: true })).error).toBeUndefined();
  });
});

describe('a target that refused a batch and is asked whether it has it', () => {
  /** A batch whose first try meets the target so, and whose others are refused; a durable manifest knows. */
  const refused = (first: Meeting, given: Given = {}) => {
    const world = new World();
    const target = new Target();
    target.meet = () => (target.calls.length === 1 ? first : 'refuse');
    const run = start(world, target, { published: target.published, ...rejects, ...given });
    write(run, 'a');
    checkpoint(run);
    world.clock.advance(2000);
    expect(run.pending).toMatchObject([{ poison: { code: 'PoisonBatch' } }]);
    return { world, target, run };
  };
  const places = (world: World, target: Target): object => ({
    rows: target.rows.length,
    deadLetters: world.keys('rejects').length,
  });

  test('answers that it has: the batch is done, and is no dead letter', () => {
    const asked: unknown[][] = [];
    const { world, target, run } = refused('after', {
      published: (batch, of, signal) => {
        asked.push([batch, of, signal.aborted]);
        return target.published(batch, of, signal);
      },
    });
    target.meet = () => 'take';
    for (let i = 0; i < 3; i++) run.settle();
    expect(asked).toEqual([[[{ p: '', text: 'a' }], target.calls[0]!.mark, false]]);
    expect(places(world, target)).toEqual({ rows: 1, deadLetters: 0 });
    expect(run.events.at(-1)).toMatchObject({ type: 'committed', records: 1 });
    expect(world.manifest.pending).toEqual([]);
  });

  test('cannot be asked: the batch is in both places', () => {
    const { world, target, run } = refused('after', { published: undefined as never });
    run.settle();
    expect(places(world, target)).toEqual({ rows: 1, deadLetters: 1 });
  });

  test('is asked after what was late has arrived', () => {
    const { world, target, run } = refused('later');
    target.meet = () => 'take';
    target.release();
    for (let i = 0; i < 3; i++) run.settle();
    expect(places(world, target)).toEqual({ rows: 1, deadLetters: 0 });
  });

  test('refuses what is late once it has answered that it has not', () => {
    const { world, target, run } = refused('later');
    target.meet = () => 'take';
    run.settle();
    target.release();
    expect(places(world, target)).toEqual({ rows: 0, deadLetters: 1 });
  });

  test('is asked again until it answers, and no dead letter is written before', () => {
    const { world, target, run } = refused('after');
    target.meet = () => 'before';
    run.settle();
    world.clock.advance(3_600_000);
    expect(run.error).toBeUndefined();
    expect(places(world, target)).toEqual({ rows: 1, deadLetters: 0 });
    target.meet = () => 'take';
    world.clock.advance(30_000);
    for (let i = 0; i < 3; i++) run.settle();
    expect(places(world, target)).toEqual({ rows: 1, deadLetters: 0 });
    expect(world.manifest.pending).toEqual([]);
  });

  test.each([
    ['strange', 3, 'TypeError'],
    ['refuse', 1, 'PoisonBatch'],
  ] as const)(
    'fails with %s: after %i tries the job ends, and the next attempt asks again',
    (meeting, tries, code) => {
      for (const first of ['after', 'before'] as const) {
        let asked = 0;
        const { world, target, run } = refused(first, {
          published: (...args) => {
            asked++;
            return target.published(...args);
          },
        });
        target.meet = () => meeting;
        run.settle();
        world.clock.advance(60_000);
        expect(asked).toBe(tries);
        expect(run.error).toMatchObject({ code: 'UnknownOutcome', retryable: false });
        expect(String(run.error)).toContain(code);
        expect(world.keys('rejects')).toEqual([]);
        target.meet = () => 'take';
        const next = start(world, target, { published: target.published, ...rejects });
        for (let i = 0; i < 3; i++) next.settle();
        expect(places(world, target)).toEqual(
          first === 'after' ? { rows: 1, deadLetters: 0 } : { rows: 0, deadLetters: 1 },
        );
        expect(world.manifest.pending).toEqual([]);
      }
    },
  );

  test('is asked again if the process dies between its answer and the dead letter', () => {
    let dead = false;
    const { world, target, run } = refused('before', {
      dead: () => dead,
      wrap: (store) =>
        decorate(store, ({ key }, answer) => {
          if (!key?.startsWith('rejects')) return answer;
          dead = true;
          return NEVER;
        }),
    });
    target.meet = () => 'take';
    run.settle();
    expect(dead).toBe(true);
    const answers: boolean[] = [];
    const next = start(world, target, {
      ...rejects,
      published: (...args) => from(target.published(...args)).pipe(tap((answer) => answers.push(answer))),
    });
    next.settle();
    expect(answers).toEqual([false]);
    expect(places(world, target)).toEqual({ rows: 0, deadLetters: 1 });
  });

  test.each([
    [undefined, 'returned nothing'],
    [[], 'answered Undefined'],
    [Promise.resolve('0'), 'answered String'],
  ])('must answer true or false, and not %p', async (answer, why) => {
    const { world, run } = refused('after', { published: (() => answer) as never });
    run.settle();
    await Promise.resolve();
    await Promise.resolve();
    expect(run.error).toMatchObject({ code: 'InvalidOption' });
    expect(String(run.error)).toContain(why);
    expect(world.keys('rejects')).toEqual([]);
  });

  test('is not asked if poison ends the job: it may take the batch once it is fixed', () => {
    const world = new World();
    const target = new Target();
    const run = start(world, target, { published: () => [] });
    write(run, 'poison');
    checkpoint(run);
    expect(run.error).toMatchObject({ code: 'PoisonBatch' });
    target.refuses = 'nothing';
    start(world, target);
    expect(target.rows).toEqual(['poison']);
  });
});

test('without checkpoints there is no outbox', () => {
  const services = new Map([...memoryServices(), [spilling, false]] as const);
  const attempt = new TestAttempt({ clock: new SimulatedClock(), services });
  const errors: unknown[] = [];
  new Observable<Line | Signal>((out) => {
    out.next(open(['s'], attempt));
  })
    .pipe(outboxSink<Line>('out', { publish: () => NEVER }))
    .subscribe({ error: (error: unknown) => errors.push(error) });
  expect(errors).toMatchObject([{ code: 'NeedsCheckpoints' }]);
});

test.each([
  [{}, 'publish'],
  [{ publish: () => of(), published: true }, 'published'],
  [{ publish: () => of(), maxBatch: { records: 0 } }, 'maxBatch.records'],
  [{ publish: () => of(), maxBatch: { rows: 1 } }, 'maxBatch.rows'],
  [{ publish: () => of(), budget: 100 }, 'budget'],
  [{ publish: () => of(), timeout: 0 }, 'timeout'],
  [{ publish: () => of(), retry: { tries: 0 } }, 'retry.tries'],
  [{ publish: () => of(), onPoison: 'skip' }, 'onPoison'],
  [{ publish: () => of(), onPoison: {} }, 'onPoison'],
  [{ publish: () => of(), onUnencodable: 'no' }, 'onUnencodable'],
  [{ publish: () => of(), publsih: 1 }, 'publsih'],
] as const)('options %j are refused for %s', (options, name) => {
  expect(() => outboxSink('out', options as never)).toThrow(name);
  expect(() => outboxSink('out', options as never)).toThrow(MillraceError);
});
