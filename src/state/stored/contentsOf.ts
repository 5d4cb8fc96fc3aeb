import type { MapState, Timers } from '../kinds/index.js';
import type { StateSpec, StateSpecs } from '../state.js';

/** What a declared state holds for a key, as plain data: a value, an array, a map, or timers. Unknown if not declared. */
export type ContentsOf<S extends StateSpecs, N extends string> = N extends keyof S
  ? S[N] extends StateSpec<infer H>
    ? H extends Timers
      ? ReturnType<H['pending']>
      : H extends MapState<infer K, infer V>
        ? Map<K, V>
        : H extends { toArray(): infer A }
          ? A
          : H extends { readonly value: infer T }
            ? T
            : unknown
    : unknown
  : unknown;
