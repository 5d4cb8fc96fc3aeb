import fc from 'fast-check';
import { Observable, type Subscriber } from 'rxjs';
import { CopyMemory } from '../../../src/checkpoint/savepoints/copyMemory.js';

/** A budget whose limit changes, and copies that end on demand. */
class Budget {
  limit = 8;
  held = 0;
  left = false;
  readonly running = new Map<number, { readonly bytes: number; readonly out: Subscriber<never> }>();
  changed: () => void = () => undefined;
  readonly copies = new CopyMemory(
    ({ changed }) => {
      this.changed = changed;
      const limit = (): number => this.limit;
      return {
        get limit() {
          return limit();
        },
        holds: (bytes) => void (this.held = bytes),
        leave: () => void (this.left = true),
      };
    },
    8,
    32,
  );

  copy(name: number, bytes: number): Observable<never> {
    return this.copies.run(
      bytes,
      new Observable<never>((out) => {
        this.running.set(name, { bytes, out });
        return () => this.running.delete(name);
      }),
    );
  }

  end(): void {
    const [first] = this.running.values();
    first?.out.complete();
  }

  get bytes(): number {
    return [...this.running.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

test('copies never hold more than the budget allows, but one always runs, and all of them end', () => {
  const step = fc.oneof(
    fc.record({ limit: fc.integer({ min: 8, max: 32 }) }),
    fc.record({ copy: fc.integer({ min: 0, max: 8 }) }),
    fc.constant('end' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const budget = new Budget();
      let begun = 0;
      let ended = 0;
      for (const each of steps) {
        const before = budget.running.size;
        if (each === 'end') budget.end();
        else if ('limit' in each) {
          budget.limit = each.limit;
          budget.changed();
        } else budget.copy(begun++, each.copy).subscribe({ complete: () => ended++ });
        expect(budget.held).toBe(budget.bytes);
        // A limit that has fallen does not end what runs, but nothing starts.
        if (budget.running.size > Math.max(1, before)) expect(budget.bytes).toBeLessThanOrEqual(budget.limit);
        expect(budget.running.size > 0).toBe(ended < begun);
      }
      for (let left = begun; left > 0; left--) budget.end();
      expect({ ended, held: budget.held }).toEqual({ ended: begun, held: 0 });
    }),
  );
});

test('what waits does not start while the copies are torn down', () => {
  const budget = new Budget();
  const subscriptions = [8, 8, 8].map((bytes, name) => budget.copy(name, bytes).subscribe());
  expect([...budget.running.keys()]).toEqual([0]);
  subscriptions[1]?.unsubscribe();
  budget.copies.close();
  subscriptions[0]?.unsubscribe();
  expect([...budget.running.keys()]).toEqual([]);
  expect(budget.left).toBe(true);
});
