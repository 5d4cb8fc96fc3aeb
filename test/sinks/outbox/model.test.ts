/**
 * Any history of an outbox and its target: writes, barriers, crashes and recoveries, answers that are lost, requests that arrive
 * long after nobody waits for them, zombies. At any moment the target has the input up to some record, in order, and never
 * more than durable checkpoints have.
 */
import fc from 'fast-check';
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
  #alive = { dead: false };

  constructor(readonly options: Partial<OutboxSinkOptions<Line>>) {
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

  /** What went to the dead letters, in order. */
  buried(): string[] {
    return this.world
      .keys('rejects')
      .flatMap((key) => this.world.content(key).trim().split('\n').slice(1))
      .map((line) => (JSON.parse(line) as Line).text);
  }

  check(): void {
    const { error } = this.run;
    if (error instanceof Error && !(error as { retryable?: boolean }).retryable) throw error;
    if (error !== undefined) this.recover();
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

const meetings: readonly Meeting[] = ['take', 'take', 'before', 'after', 'strange', 'later'];

const commands = [
  fc.integer({ min: 1, max: 40 }).map((n) => command(`write ${n}`, (real) => real.write(n))),
  fc.constant(command('barrier', (real) => void real.run.barrier())),
  fc.constant(command('durable', (real) => real.run.durable())),
  fc.constant(command('durable, not committed', (real) => real.run.durable(false))),
  fc.constant(command('settle', (real) => real.run.settle())),
  fc.boolean().map((zombie) => command(zombie ? 'zombie' : 'crash', (real) => real.recover(zombie))),
  fc.integer({ min: 1, max: 3000 }).map((ms) => command(`${ms} ms`, (real) => real.world.clock.advance(ms))),
  fc.array(fc.constantFrom(...meetings), { minLength: 1, maxLength: 6 }).map((all) =>
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

test('whatever happens, a target gets each record once, in order', () => {
  fc.assert(
    fc.property(
      fc.commands(commands, { maxCommands: 60 }),
      fc.record({ backlog: fc.constantFrom(1, 2000, 1_000_000), budget: fc.constantFrom(4096, 100_000) }),
      (history, options) => {
        let real!: Real;
        fc.modelRun(() => {
          real = new History(options);
          return { model: {}, real };
        }, history);
        const total = real.finish();
        const all = Array.from({ length: total }, (_, i) => i);
        const rows = real.target.rows.map((text) => parseInt(text));
        const buried = real.buried().map((text) => parseInt(text));
        expect([...rows, ...buried].sort((a, b) => a - b)).toEqual(all);
        // Journals are garbage once their batches are published.
        expect([...real.world.journals]).toEqual([]);
      },
    ),
    { numRuns: effort(60, 2000) },
  );
});
