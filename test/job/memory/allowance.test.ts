import { allowances, processMemory, type Allowance } from '../../../src/job/memory/index.js';
import { ReadBudget } from '../../../src/store/reader/budget.js';
import { SimulatedClock } from '../../../src/testing/simulatedClock.js';

const quiet = { waits: () => undefined, granted: () => undefined, exceeded: () => undefined };

function withJob(least: number, most: number, total = 100) {
  const clock = new SimulatedClock();
  const budget = processMemory(clock);
  const account = budget.open({ owner: "job 'x'", total, ...quiet });
  account.start();
  const job = account.share({ who: 'source x', least, most, changed: () => undefined });
  const allow = (floor: number, most: number, changed: () => void = () => undefined): Allowance =>
    allowances(clock, () => total)({ who: 'a copy', floor, most, changed });
  return { budget, job, allow };
}

test('with enough memory it is all that can be used', () => {
  const { allow } = withJob(10, 20);
  expect(allow(5, 80).limit).toBe(80);
});

test('the floor is there at once, even if jobs hold everything and give nothing back', () => {
  const { budget, allow } = withJob(10, 100);
  const copy = allow(5, 200);
  expect(copy.limit).toBe(5);
  copy.holds(5);
  expect([budget.charged, budget.fixed]).toEqual([100, 5]);
});

test('what a job gives back is shared, and what an allowance gives back goes to the job', () => {
  const changes: number[] = [];
  const { budget, job, allow } = withJob(10, 100);
  const copy: Allowance = allow(10, 100, () => changes.push(copy.limit));
  copy.holds(10);
  const { limit } = job;
  // 90 are divided: the job has its least of 10, and both the same part of the 90 that they ask for beyond.
  expect(limit).toBe(50);
  job.holds(limit);
  expect([copy.limit, changes.at(-1)]).toEqual([50, 50]);
  copy.holds(50);
  copy.leave();
  copy.leave();
  expect([job.limit, budget.fixed]).toEqual([100, 0]);
});

test('a share without a least that has lost everything gives it back', () => {
  const { budget, allow } = withJob(1, 1, 101);
  const copy = allow(0, 100);
  expect(copy.limit).toBe(100);
  copy.holds(100);
  const state = allow(100, 100);
  state.holds(100);
  expect([copy.limit, budget.charged]).toEqual([0, 101]);
  copy.holds(0);
  expect(budget.charged).toBe(1);
});

test('what exceeds the most, such as one larger part, is charged, too', () => {
  const { budget, allow } = withJob(1, 1);
  const copy = allow(10, 20);
  copy.holds(50);
  expect(budget.fixed + budget.charged).toBe(1 + 50);
});

test('where jobs need more than its total it is refused, by its name', () => {
  const clock = new SimulatedClock();
  const account = processMemory(clock).open({ owner: "job 'x'", total: 100, ...quiet });
  account.share({ who: 'source x', least: 60, most: 60, changed: () => undefined });
  const opening = (): Allowance =>
    allowances(clock, () => 50)({ who: 'a copy', floor: 5, most: 50, changed: () => undefined });
  expect(opening).toThrow(
    expect.objectContaining({
      code: 'MemoryTooSmall',
      message: expect.stringContaining('leaves nothing for a copy') as unknown,
    }),
  );
  expect([processMemory(clock).charged, processMemory(clock).total]).toEqual([60, 100]);
});

test('without a total a simulated process has no limit', () => {
  const allow = allowances(new SimulatedClock(), () => undefined);
  const use = { who: 'a copy', floor: 5, most: 1e12, changed: () => undefined };
  expect([allow(use).limit, allow(use).limit]).toEqual([1e12, 1e12]);
});

test('the readers of several stores divide the memory of the process', () => {
  const clock = new SimulatedClock();
  const total = 256 * 1024;
  const budgets = [1, 2, 3].map(
    () =>
      new ReadBudget(
        '64MiB',
        allowances(clock, () => total),
      ),
  );
  const readers = budgets.map((budget) => budget.join(() => undefined));
  const limits = budgets.map(({ limit }) => limit);
  expect(Math.min(...limits)).toBeGreaterThanOrEqual(64 * 1024);
  expect(limits.reduce((sum, limit) => sum + limit, 0)).toBeLessThanOrEqual(total);
  const [first, ...others] = readers;
  for (const other of others) other.leave();
  expect(budgets[0]?.limit).toBe(total);
  first?.leave();
  expect(processMemory(clock).charged + processMemory(clock).fixed).toBe(0);
});
