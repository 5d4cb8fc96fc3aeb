/** The memory that all jobs of a process share: see src/job/memory/budget.ts. */
import fc from 'fast-check';
import type { MemoryCharge, MemoryShare } from '../../src/flow/index.js';
import { MemoryBudget, type MemoryAccount } from '../../src/job/memory/index.js';

const open = (budget: MemoryBudget, total: number, job = 'job'): MemoryAccount =>
  budget.open({
    owner: `job '${job}'`,
    total,
    waits: () => undefined,
    granted: () => undefined,
    exceeded: () => undefined,
  });

/** A holder that fills its share, and returns what exceeds it only when the test says. */
class Greedy {
  readonly share: MemoryShare;
  held = 0;

  constructor(
    account: MemoryAccount,
    readonly least: number,
    readonly most = least,
  ) {
    this.share = account.share({ who: 'source x', least, most, changed: () => undefined });
  }

  fill(): void {
    this.held = Math.max(this.held, this.share.limit);
  }

  comeDown(bytes = Infinity): void {
    this.held = Math.max(Math.min(this.held, this.share.limit), this.held - bytes);
    this.share.holds(this.held);
  }
}

describe('shares', () => {
  test('with enough memory everyone has what it can use', () => {
    const account = open(new MemoryBudget(), 100);
    const [a, b] = [new Greedy(account, 10, 40), new Greedy(account, 5, 60)];
    account.start();
    expect([a.share.limit, b.share.limit]).toEqual([40, 60]);
  });

  test('otherwise everyone has its least, and the same fraction of what it asks for beyond', () => {
    const account = open(new MemoryBudget(), 100);
    const [a, b] = [new Greedy(account, 10, 110), new Greedy(account, 40, 140)];
    account.start();
    expect([a.share.limit, b.share.limit]).toEqual([35, 65]);
  });

  test('before its attempt runs, a holder has its least only: others of the attempt may follow', () => {
    const account = open(new MemoryBudget(), 100);
    const source = new Greedy(account, 10, 100);
    source.fill();
    const sink = new Greedy(account, 90);
    expect([source.share.limit, sink.share.limit]).toEqual([10, 90]);
  });

  test('an attempt that opens waits for memory that others hold, and gets it when they have shrunk', () => {
    const budget = new MemoryBudget();
    const told: string[] = [];
    const first = open(budget, 100);
    const a = new Greedy(first, 10, 100);
    first.start();
    a.fill();
    const second = budget.open({
      owner: `job 'second'`,
      total: 100,
      waits: () => told.push('waits'),
      granted: () => told.push('granted'),
      exceeded: () => undefined,
    });
    const b = new Greedy(second, 30);
    expect([a.share.limit, b.share.limit, ...told]).toEqual([70, 0, 'waits']);
    a.comeDown(10);
    expect([b.share.limit, ...told]).toEqual([0, 'waits']);
    a.comeDown();
    expect([a.held, b.share.limit, ...told]).toEqual([70, 30, 'waits', 'granted']);
    second.close();
    expect(a.share.limit).toBe(100);
  });

  test('the smallest total counts, while its attempt is open', () => {
    const budget = new MemoryBudget();
    const first = open(budget, 100);
    const a = new Greedy(first, 10, 100);
    first.start();
    const second = open(budget, 60);
    expect([budget.total, a.share.limit]).toEqual([60, 60]);
    second.close();
    expect([budget.total, a.share.limit]).toEqual([100, 100]);
  });

  test('what cannot be given back is taken off what others may have, and never off their least', () => {
    const budget = new MemoryBudget();
    const first = open(budget, 100);
    const second = open(budget, 100);
    const [a, b] = [new Greedy(first, 10, 50), new Greedy(second, 20, 60)];
    first.start();
    second.start();
    a.fill();
    const state = first.charge();
    state.set(50);
    expect([a.share.limit, b.share.limit, budget.divided]).toEqual([20, 30, 50]);
    state.set(95);
    expect([a.share.limit, b.share.limit, budget.divided]).toEqual([10, 20, 30]);
    state.leave();
    state.set(95);
    a.comeDown();
    expect([a.share.limit, b.share.limit, budget.divided]).toEqual([45, 55, 100]);
  });

  test('where that is more than there is, each attempt that has some hears of it once, and all continue', () => {
    const budget = new MemoryBudget();
    const told: unknown[] = [];
    const of = (job: string): MemoryAccount =>
      budget.open({
        ...{ owner: job, total: 100, waits: () => undefined, granted: () => undefined },
        exceeded: (fixed, total) => told.push([job, fixed, total]),
      });
    const [first, second, third] = [of('first'), of('second'), of('third')];
    const source = new Greedy(third, 10, 100);
    const [a, b] = [first.charge(), second.charge()];
    a.set(60);
    b.set(40);
    expect(told).toEqual([]);
    b.set(41);
    b.set(42);
    expect(told).toEqual([
      ['first', 101, 100],
      ['second', 101, 100],
    ]);
    expect(source.share.limit).toBe(10);
    second.close();
    expect(budget.fixed).toBe(60);
    const again = of('second again');
    again.charge().set(70);
    expect(told.slice(2)).toEqual([['second again', 130, 100]]);
  });

  test('a least that does not fit beside the others is refused, and the error says what to raise', () => {
    const budget = new MemoryBudget();
    const first = open(budget, 100 << 20, 'first');
    new Greedy(first, 60 << 20);
    const second = open(budget, 100 << 20, 'second');
    const refused = (): Greedy => new Greedy(second, 41 << 20);
    expect(refused).toThrow(/source x of job 'second' needs at least another 41\.0 MiB/);
    expect(refused).toThrow(expect.objectContaining({ code: 'MemoryTooSmall', retryable: false }) as Error);
    expect(() => open(budget, 59 << 20, 'third')).toThrow(
      /may hold 59\.0 MiB together .*need at least 60\.0 MiB, which leaves nothing for job 'third'\./,
    );
    expect(new Greedy(second, 40 << 20).share.limit).toBe(40 << 20);
  });
});

/** What happens to attempts of a process. Numbers choose among what is there. */
type Event =
  | { readonly type: 'open'; readonly total: number; readonly uses: readonly (readonly [number, number])[] }
  | { readonly type: 'start' | 'close' | 'fill' | 'leave'; readonly at: number }
  | { readonly type: 'down' | 'charge'; readonly at: number; readonly bytes: number };

const events: fc.Arbitrary<Event[]> = fc.array<Event>(
  fc.oneof(
    fc.record({
      type: fc.constant('open' as const),
      total: fc.integer({ min: 50, max: 120 }),
      uses: fc.array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.nat(60)), { maxLength: 3 }),
    }),
    fc.record({
      type: fc.constantFrom('start' as const, 'close' as const, 'fill' as const, 'leave' as const),
      at: fc.nat(9),
    }),
    fc.record({
      type: fc.constantFrom('down' as const, 'charge' as const),
      at: fc.nat(9),
      bytes: fc.nat(40),
    }),
  ),
  { maxLength: 60 },
);

/** Attempts of a process that mind their limits. */
class Attempts {
  readonly budget = new MemoryBudget();
  readonly all: {
    account: MemoryAccount;
    total: number;
    started: boolean;
    holders: Greedy[];
    state: MemoryCharge;
  }[] = [];

  get holders(): Greedy[] {
    return this.all.flatMap(({ holders }) => holders);
  }

  on(event: Event): void {
    if (event.type === 'open') {
      this.#open(event);
      return;
    }
    const attempt = this.all[event.at % Math.max(1, this.all.length)];
    const holder = this.holders[event.at % Math.max(1, this.holders.length)];
    if (event.type === 'fill') holder?.fill();
    else if (event.type === 'charge') attempt?.state.set(event.bytes);
    else if (event.type === 'down') holder?.comeDown(event.bytes);
    else if (event.type === 'leave') {
      for (const each of this.all) each.holders = each.holders.filter((other) => other !== holder);
      holder?.share.leave();
    } else if (attempt !== undefined) {
      if (event.type === 'close') this.all.splice(this.all.indexOf(attempt), 1);
      else attempt.started = attempt.holders.every(({ share, least }) => share.limit >= least);
      if (event.type === 'close') attempt.account.close();
      else if (attempt.started) attempt.account.start();
    }
  }

  /** As a job would: an attempt with a holder that is refused ends. */
  #open({ total, uses }: Extract<Event, { type: 'open' }>): void {
    let account: MemoryAccount | undefined;
    try {
      account = open(this.budget, total);
      const holders: Greedy[] = [];
      for (const [least, more] of uses) holders.push(new Greedy(account, least, least + more));
      this.all.push({ account, total, started: false, holders, state: account.charge() });
    } catch (error) {
      expect(error).toMatchObject({ code: 'MemoryTooSmall' });
      account?.close();
    }
  }
}

describe('any sequence of attempts', () => {
  test('charges cover what is held, and grow only within the total', () => {
    fc.assert(
      fc.property(events, (happens) => {
        const attempts = new Attempts();
        for (const event of happens) {
          const before = attempts.budget.charged;
          attempts.on(event);
          const { charged, divided } = attempts.budget;
          // Where there is less to divide than before, others still hold what they may: it only falls.
          expect(charged).toBeLessThanOrEqual(Math.max(divided, before));
          expect(attempts.holders.reduce((sum, { held }) => sum + held, 0)).toBeLessThanOrEqual(charged);
        }
      }),
    );
  });

  test('with one total, holders together never hold more than that', () => {
    fc.assert(
      fc.property(events, (happens) => {
        const attempts = new Attempts();
        for (const event of happens) {
          attempts.on(event.type === 'open' ? { ...event, total: 80 } : event);
          for (const holder of attempts.holders) holder.fill();
          expect(attempts.holders.reduce((sum, { held }) => sum + held, 0)).toBeLessThanOrEqual(80);
        }
      }),
    );
  });

  test('once all have shrunk, they and what cannot be given back are within the total, but for the leasts', () => {
    fc.assert(
      fc.property(events, (happens) => {
        const attempts = new Attempts();
        for (const event of happens) attempts.on(event);
        for (let round = 0; round <= attempts.holders.length; round++)
          for (const holder of attempts.holders) holder.comeDown();
        const { charged, fixed, total } = attempts.budget;
        const leasts = attempts.holders.reduce((sum, { least }) => sum + least, 0);
        expect(charged).toBeLessThanOrEqual(Math.max(leasts, total - fixed));
      }),
    );
  });

  test('nobody waits forever: once all have shrunk, each attempt can start, and the total is shared out', () => {
    fc.assert(
      fc.property(events, (happens) => {
        const attempts = new Attempts();
        for (const event of happens) attempts.on(event);
        // Each round somebody gets what another has given back.
        for (let round = 0; round <= attempts.holders.length; round++)
          for (const holder of attempts.holders) holder.comeDown();
        for (const { share, least } of attempts.holders) expect(share.limit).toBeGreaterThanOrEqual(least);
        for (const { account } of attempts.all) account.start();
        for (let round = 0; round <= attempts.holders.length; round++)
          for (const holder of attempts.holders) holder.comeDown();
        const { charged, divided } = attempts.budget;
        const asked = attempts.holders.reduce((sum, { most }) => sum + most, 0);
        // Parts are rounded down, by less than a byte each.
        expect(charged).toBeGreaterThan(Math.min(asked, divided) - attempts.holders.length - 1);
      }),
    );
  });

  test('when all have closed, nothing is charged', () => {
    fc.assert(
      fc.property(events, (happens) => {
        const attempts = new Attempts();
        for (const event of happens) attempts.on(event);
        for (const { account } of attempts.all) account.close();
        expect([attempts.budget.charged, attempts.budget.fixed]).toEqual([0, 0]);
      }),
    );
  });
});
