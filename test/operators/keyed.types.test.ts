import { expectTypeOf } from 'expect-type';
import { filter, map } from 'rxjs';
import type { Flow, FlowOperator } from '../../src/flow/index.js';
import { keyed } from '../../src/operators/keyed.js';
import { records } from '../../src/operators/records.js';
import { valueState, type ValueState } from '../../src/state/index.js';
import type { StateSpec } from '../../src/state/state.js';

interface Visit {
  user: string;
  kind: string;
  at: string;
}
declare const visits: Flow<Visit>;

/** Never run: the compiler is the test. */
export function types(): void {
  const clicks = visits.pipe(
    records(
      filter((v) => v.kind === 'click'),
      map((v) => ({ user: v.user, day: v.at.slice(0, 10) })),
    ),
    keyed('per-user', {
      key: (v) => v.user,
      state: { clicks: valueState(0) },
      onRecord: (v, { clicks }) => {
        expectTypeOf(v).toEqualTypeOf<{ user: string; day: string }>();
        expectTypeOf(clicks).toEqualTypeOf<ValueState<number>>();
        return [{ ...v, clicks: clicks.update((n) => n + 1) }];
      },
    }),
  );
  expectTypeOf(clicks).toEqualTypeOf<Flow<{ clicks: number; user: string; day: string }>>();

  expectTypeOf(valueState(0)).toEqualTypeOf<StateSpec<ValueState<number>>>();
  expectTypeOf(valueState('')).toEqualTypeOf<StateSpec<ValueState<string>>>();
  expectTypeOf(valueState<'on' | 'off'>('off')).toEqualTypeOf<StateSpec<ValueState<'on' | 'off'>>>();
  expectTypeOf(valueState<string | null>(null)).toEqualTypeOf<StateSpec<ValueState<string | null>>>();

  const generator = visits.pipe(
    keyed('several', {
      key: (v) => ({ user: v.user, kind: v.kind }),
      state: { seen: valueState(false), last: valueState<string | undefined>(undefined) },
      *onRecord(v, { seen, last }) {
        expectTypeOf(seen.value).toEqualTypeOf<boolean>();
        expectTypeOf(last.value).toEqualTypeOf<string | undefined>();
        last.set(v.at);
        yield v.user;
        yield v.user.length;
      },
    }),
  );
  expectTypeOf(generator).toEqualTypeOf<Flow<string | number>>();

  const explicit = keyed('explicit', {
    key: (v: Visit) => v.user,
    state: { n: valueState(0) },
    onRecord: (v, { n }) => [n.update((x) => x + v.user.length)],
  });
  expectTypeOf(explicit).toEqualTypeOf<FlowOperator<Visit, number>>();

  const noKey = (v: Visit): Map<string, string> => new Map([[v.user, v.kind]]);
  // @ts-expect-error -- a map is no key
  keyed('bad', { key: noKey, state: { n: valueState(0) }, onRecord: () => [1] });
  keyed('bad', {
    key: (v: Visit) => v.user,
    state: { n: valueState(0) },
    onRecord: (_, states) => {
      // @ts-expect-error -- a number state takes numbers
      states.n.set('');
      expectTypeOf(states).not.toHaveProperty('m');
      return [1];
    },
  });
}

test('the types of keyed are inferred', () => {
  expect(types).toBeInstanceOf(Function);
});
