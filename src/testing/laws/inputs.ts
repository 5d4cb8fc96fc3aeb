import type { Arbitrary, default as FastCheck } from 'fast-check';

/** One element of an input, `wait` milliseconds after the previous one. */
export type LawElement<A> = {
  readonly wait: number;
  /** The input of a merge that it belongs to. Default: 0. */
  readonly input?: number;
} & (
  | { readonly kind: 'record'; readonly value: A }
  /** Event time advances by `rise` milliseconds. Default: 1, and not idle. */
  | { readonly kind: 'watermark'; readonly rise?: number; readonly idle?: boolean }
  /** One more byte of `source`. Default: the first source of the input. */
  | { readonly kind: 'credit'; readonly source?: string }
  | { readonly kind: 'barrier' | 'end' | 'complete' }
);

export interface LawInput<A> {
  readonly elements: readonly LawElement<A>[];
  /** Number of elements after which the teardown check unsubscribes. */
  readonly unsubscribeAfter: number;
}

/**
 * Inputs for {@link checkLaws}: records and signals at random distances, sometimes with an end.
 *
 * @param fc the `fast-check` module
 * @param record generates the records
 */
export function lawInputs<A>(fc: typeof FastCheck, record: Arbitrary<A>): Arbitrary<LawInput<A>> {
  const wait = fc.nat({ max: 3 });
  const element: Arbitrary<LawElement<A>> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ wait, kind: fc.constant('record' as const), value: record }) },
    { weight: 2, arbitrary: fc.record({ wait, kind: fc.constant('barrier' as const) }) },
    { weight: 1, arbitrary: fc.record({ wait, kind: fc.constant('credit' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ wait, kind: fc.constant('watermark' as const), idle: fc.boolean() }),
    },
  );
  return fc
    .tuple(fc.array(element, { maxLength: 25 }), fc.boolean(), fc.nat({ max: 25 }))
    .map(([elements, ends, unsubscribeAfter]) => ({
      elements: ends ? [...elements, { wait: 1, kind: 'end' }, { wait: 1, kind: 'barrier' }] : elements,
      unsubscribeAfter,
    }));
}
