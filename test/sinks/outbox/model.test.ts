/**
 * Any history of an outbox and its target: writes, barriers, crashes and recoveries, answers that are lost, requests that arrive
 * long after nobody waits for them, zombies. At any moment the target has the input up to some record, in order, and never
 * more than durable checkpoints have. If the log is restored from a backup, no record is taken for published that is not.
 */
import fc from 'fast-check';
import { from, tap } from 'rxjs';
import type { MillraceError } from '../../../src/errors.js';
import { outboxSink } from '../../../src/sinks/outbox/outboxSink.js';
import type { OutboxSinkOptions } from '../../../src/sinks/outbox/options.js';
import { effort } from '../../support/effort.js';
import { Run, World, type Line } from '../harness.js';
import { Target, type Meeting } from './target.js';

const isPoison = (i: number): boolean => i % 11 === 5;
/** Some are long. */
const textOf = (i: number): string => `${i}${isPoison(i) ? ' poison' : ''}${'.'.repeat((i * 37) % 150)}`;

class History {
  readonly world = new World();
  readonly target = new Target();
  readonly dead: Run[] = [];
  run!: Run;
  /** The log was restored from a backup. */
  forked = false;
  /** Codes of the errors that followed from that. */
  readonly refusals: string[] = [];
  /** Of the target, when it was asked whether it has a batch. */
  readonly answers = new Set<boolean | 'unknown'>();
  #alive = { dead: false };

  constructor(
    readonly options: Partial<OutboxSinkOptions<Line>>,
    /** What the target does if it is asked whether it has a batch. */
    private readonly asks: 'published' | 'looks' = 'published',
  ) {
    this.recover();
  }

  /** The attempt dies, or becomes a zombie, which lives on but cannot write to the log. The next one starts. */
  recover(zombie = false): void {
    this.#alive.dead = true;
    if ((this.run as Run | undefined) !== undefined) {
      if (zombie) this.dead.push(this.run);
      else this.run.stop();
    }
    const alive = { dead: false };
    this.#alive = alive;
    const operator = outboxSink<Line>('out', {
      publish: this.target.publish,
      published: (...args) =>
        from(this.target[this.asks](...args)).pipe(tap((answer) => this.answers.add(answer))),
      maxBatch: { records: 5, bytes: 700 },
      retry: { tries: 2, initial: 10 },
      timeout: 1000,
      budget: 4096,
      backlog: 2000,
      onPoison: { deadLetter: 'memory://lake/rejects' },
      ...this.options,
    });
    this.run = new Run(this.world, {
      operator,
      auto: false,
      dead: () => alive.dead,
    });
  }

  write(count: number): void {
    for (let i = 0; i < count && this.run.error === undefined; i++)
      this.run.line('', textOf(this.run.position));
  }

  /** The log is restored from a backup; its last attempt dies, or lives on. */
  restore(backup: () => void, zombie: boolean): void {
    this.forked = true;
    this.#alive.dead = true;
    backup();
    this.recover(zombie);
  }

  /** What went to the dead letters, in order. */
  buried(): string[] {
    return this.world
      .keys('rejects')
      .flatMap((key) => this.world.content(key).trim().split('\n').slice(1))
      .map((line) => (JSON.parse(line) as Line).text);
  }

  check(): void {
    const { error } = this.run;
    if (this.forked) {
      const { code } = (error ?? {}) as { readonly code?: string };
      if (code === 'LowerEpoch' || code === 'TargetAhead') {
        this.refusals.push(code);
        // As somebody does who starts the job again and again.
        this.recover();
        return;
      }
    }
    const { retryable, code } = (error ?? {}) as Partial<MillraceError>;
    if (error !== undefined && retryable !== true) {
      if (code !== 'UnknownOutcome') throw error as Error;
      this.answers.add('unknown');
    }
    // After an unknown outcome, somebody starts the job again.
    if (error !== undefined) this.recover();
    if (this.forked) return;
    const all = [...this.target.rows, ...this.buried()].map((text) => parseInt(text)).sort((a, b) => a - b);
    expect(new Set(all).size).toBe(all.length);
    const { rows } = this.target;
    expect(rows.map((text) => parseInt(text))).toEqual(
      rows.map((text) => parseInt(text)).sort((a, b) => a - b),
    );
    expect(all.every((i) => i < this.world.manifest.position)).toBe(true);
    expect(rows).toEqual(rows.map((text) => textOf(parseInt(text))));
    expect(this.target.calls.every(({ batch }) => batch.length <= 5)).toBe(true);
  }

  /**
   * Everything works from now on, and the job is started again and again. Returns the number of records of the input that it is done with, or
   * `undefined` if the target refuses it.
   */
  finishForked(): number | undefined {
    this.target.meet = () => 'take';
    for (let start = 0; start < 60; start++) {
      this.recover();
      this.run.end();
      for (let i = 0; i < 100 && (i < 3 || this.world.manifest.pending.length > 0); i++) {
        if (this.run.error !== undefined) break;
        this.run.durable();
        this.run.settle();
        this.world.clock.advance(5000);
      }
      const { error } = this.run;
      if (error === undefined) return this.run.position;
      const { code = '' } = error as { readonly code?: string };
      this.refusals.push(code);
      if (code === 'TargetAhead') return undefined;
      if (code !== 'LowerEpoch') throw error as Error;
    }
    throw new Error('It never ends.');
  }

  /** Everything works from now on. */
  finish(): number {
    this.target.meet = () => 'take';
    this.recover();
    this.run.end();
    for (let i = 0; i < 500 && (i < 3 || this.world.manifest.pending.length > 0); i++) {
      this.run.durable();
      this.run.settle();
      this.world.clock.advance(5000);
      this.check();
    }
    this.target.release();
    this.check();
    return this.run.position;
  }
}

type Real = History;
type Model = object;

const command = (name: string, act: (real: Real) => void): fc.Command<Model, Real> => ({
  check: () => true,
  run: (_, real) => {
    act(real);
    real.check();
  },
  toString: () => name,
});

const immediate: readonly Meeting[] = ['take', 'take', 'before', 'after', 'strange', 'refuse'];
const meetings: readonly Meeting[] = [...immediate, 'later'];

const commandsWith = (met: readonly Meeting[], zombies: boolean) => [
  fc.integer({ min: 1, max: 40 }).map((n) => command(`write ${n}`, (real) => real.write(n))),
  fc.constant(command('barrier', (real) => void real.run.barrier())),
  fc.constant(command('durable', (real) => real.run.durable())),
  fc.constant(command('durable, not committed', (real) => real.run.durable(false))),
  fc.constant(command('settle', (real) => real.run.settle())),
  fc
    .constantFrom(...(zombies ? [true, false] : [false]))
    .map((zombie) => command(zombie ? 'zombie' : 'crash', (real) => real.recover(zombie))),
  fc.integer({ min: 1, max: 3000 }).map((ms) => command(`${ms} ms`, (real) => real.world.clock.advance(ms))),
  fc.array(fc.constantFrom(...met), { minLength: 1, maxLength: 6 }).map((all) =>
    command(`meets ${all.join()}`, (real) => {
      let next = 0;
      real.target.meet = () => all[next++ % all.length]!;
    }),
  ),
  fc.constantFrom('poison', 'nothing').map((what) =>
    command(`refuses ${what}`, (real) => {
      real.target.refuses = what;
    }),
  ),
  fc.integer({ min: 1, max: 3 }).map((n) => command(`release ${n}`, (real) => real.target.release(n))),
];
const commands = commandsWith(meetings, true);

/** Batches whose first tries end so, and whose others are refused; then the target is asked for them, and meets that so. */
const refused = (met: readonly Meeting[]) =>
  fc
    .record({
      records: fc.integer({ min: 1, max: 12 }),
      tries: fc.array(fc.constantFrom(...met), { minLength: 1, maxLength: 3 }),
      questions: fc.array(fc.constantFrom(...met), { minLength: 1, maxLength: 3 }),
    })
    .map(({ records, tries, questions }) =>
      command(`write ${records}, meets ${tries.join()}, refuse, asked ${questions.join()}`, (real) => {
        const until = (last: Meeting, all: readonly Meeting[]): void => {
          let next = 0;
          real.target.meet = () => all[next++] ?? last;
        };
        until('refuse', tries);
        real.write(records);
        real.run.barrier();
        real.run.durable();
        for (let i = 0; i < 5; i++) real.world.clock.advance(1000);
        until('take', questions);
        real.run.settle();
        for (let i = 0; i < 5; i++) real.world.clock.advance(1000);
      }),
    );

describe.each([
  // Late tries and those of zombies can only be refused by a target that stores the mark.
  ['closes the door', 'published', meetings],
  ['only looks', 'looks', immediate],
] as const)('a target that is asked whether it has what it refused, and %s', (_, asks, met) => {
  test('gets each record once, in order, or the record is a dead letter, whatever happens', () => {
    const answers = new Set<unknown>();
    const all = commandsWith(met, met.includes('later'));
    const one = fc.oneof(...all, { arbitrary: refused(met), weight: 3 });
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 60, size: 'max' }),
        fc.record({
          backlog: fc.constantFrom(1, 2000, 1_000_000),
          budget: fc.constantFrom(4096, 100_000),
        }),
        (history, options) => {
          const real = new History(options, asks);
          for (const each of history) each.run({}, real);
          const total = real.finish();
          const rows = real.target.rows.map((text) => parseInt(text));
          const buried = real.buried().map((text) => parseInt(text));
          expect([...rows, ...buried].sort((a, b) => a - b)).toEqual(
            Array.from({ length: total }, (_, i) => i),
          );
          // Journals are garbage once their batches are published.
          expect([...real.world.journals]).toEqual([]);
          for (const answer of real.answers) answers.add(answer);
        },
      ),
      { numRuns: effort(20, 2000) },
    );
    expect(answers).toEqual(new Set([true, false, 'unknown']));
  });
});

/** Some of what usually happens between two barriers, with a checkpoint at the end. */
const interval = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.boolean()).map(([n, commit]) =>
  command(`write ${n}, checkpoint${commit ? '' : ' that is not committed'}`, (real) => {
    real.write(n);
    real.run.barrier();
    real.run.durable(commit);
  }),
);
const some = fc.array(fc.oneof({ arbitrary: interval, weight: 4 }, ...commands), { maxLength: 12 });

test('if the log is restored from a backup, batches are refused, and never taken for others with their numbers', () => {
  const refusals = new Set<string>();
  fc.assert(
    fc.property(
      fc.record({ before: some, lost: some, after: some }),
      fc.boolean(),
      fc.record({ backlog: fc.constantFrom(2000, 1_000_000), budget: fc.constantFrom(4096, 100_000) }),
      ({ before, lost, after }, zombie, options) => {
        const real = new History(options);
        for (const each of before) each.run({}, real);
        const restore = real.world.backup();
        for (const each of lost) each.run({}, real);
        real.restore(restore, zombie);
        for (const each of after) each.run({}, real);
        const total = real.finishForked();
        for (const code of real.refusals) refusals.add(code);
        if (total === undefined) return;
        const there = new Set([...real.target.rows, ...real.buried()].map((text) => parseInt(text)));
        const missing = Array.from({ length: total }, (_, i) => i).filter((i) => !there.has(i));
        expect(missing).toEqual([]);
      },
    ),
    { numRuns: effort(120, 2000) },
  );
  expect(['LowerEpoch', 'TargetAhead']).toEqual(expect.arrayContaining([...refusals]));
  expect([...refusals]).toContain('TargetAhead');
  // One history in fifty has the other one.
  expect(refusals.size).toBeGreaterThanOrEqual(effort(1, 2));
});
