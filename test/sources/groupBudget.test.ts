import fc from 'fast-check';
import type { Memory } from '../../src/flow/index.js';
import { GroupBudget, type Grant } from '../../src/sources/groupBudget.js';

const limit = 100;

function budgetOf(): { budget: GroupBudget; charged: () => number } {
  let charged = 0;
  const memory: Memory = {
    share: () => ({ limit, holds: () => undefined, leave: () => undefined }),
    charge: () => ({ set: (bytes) => (charged = bytes), leave: () => (charged = 0) }),
  };
  return { budget: new GroupBudget({ window: 1, fragment: 10 }, memory, 'test'), charged: () => charged };
}

/** One object: the group that it reads, and what is fetched of the next one. */
interface Lane {
  read: Grant | undefined;
  reads: boolean;
  wants: number;
  ahead: Grant | undefined;
}

test('what is held stays within the budget and one group, nobody waits forever, and all is given back', () => {
  const size = fc.integer({ min: 1, max: 150 });
  const step = fc.record({ lane: fc.nat(3), bytes: size, ahead: size });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { budget, charged } = budgetOf();
      const lanes: Lane[] = Array.from({ length: 4 }, () => ({
        read: undefined,
        reads: false,
        wants: 0,
        ahead: undefined,
      }));
      const held = (): number =>
        lanes.reduce((sum, { read, ahead }) => sum + (read?.bytes ?? 0) + (ahead?.bytes ?? 0), 0);
      const check = (): void => {
        const largest = Math.max(0, ...lanes.map(({ read }) => read?.bytes ?? 0));
        expect(held() <= limit || held() - largest <= limit).toBe(true);
        expect(charged()).toBe(held() > limit ? held() - 10 : 0);
        // Whoever waits has another before it.
        if (lanes.some(({ read }) => read !== undefined)) expect(lanes.some(({ reads }) => reads)).toBe(true);
      };
      const next = (lane: Lane, bytes: number, ahead: number): void => {
        if (lane.read !== undefined && !lane.reads) return;
        lane.read?.leave();
        Object.assign(lane, { read: undefined, reads: false, wants: bytes });
        if (lane.ahead?.bytes === 0) lane.ahead.leave();
        lane.read = budget.read(bytes, () => (lane.reads = true));
        check();
        if (!lane.reads) return;
        lane.ahead?.leave();
        lane.ahead = budget.ahead(ahead, () => undefined);
        check();
      };
      for (const { lane, bytes, ahead } of steps) next(lanes[lane] as Lane, bytes, ahead);
      // All come to their end.
      for (let left = 10; left > 0 && lanes.some(({ read }) => read !== undefined); left--)
        for (const lane of lanes.filter(({ reads }) => reads)) {
          lane.read?.leave();
          lane.ahead?.leave();
          Object.assign(lane, { read: undefined, ahead: undefined, reads: false });
        }
      expect(lanes.filter(({ read }) => read !== undefined)).toEqual([]);
      for (const { ahead } of lanes) ahead?.leave();
      expect(charged()).toBe(0);
    }),
  );
});

test('those that wait to read come before what is fetched ahead', () => {
  const { budget } = budgetOf();
  const granted: string[] = [];
  const first = budget.read(60, () => granted.push('first'));
  budget.ahead(30, () => granted.push('ahead'));
  budget.read(50, () => granted.push('second'));
  budget.ahead(5, () => granted.push('more ahead'));
  expect(granted).toEqual(['first', 'ahead']);
  first.leave();
  expect(granted).toEqual(['first', 'ahead', 'second', 'more ahead']);
});

test('a request that is withdrawn is not granted', () => {
  const { budget } = budgetOf();
  const first = budget.read(100, () => undefined);
  const second = budget.read(10, () => {
    throw new Error('granted');
  });
  second.leave();
  first.leave();
  budget.close();
});
