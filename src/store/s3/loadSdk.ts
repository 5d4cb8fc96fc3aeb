import type * as sdk from './sdk.js';

export type Sdk = typeof sdk;

let loaded: Sdk | undefined;
let loading: Promise<Sdk> | undefined;

/** Calls `use` with what `sdk.ts` exports: at once if it is loaded, and otherwise when it is. */
export function withSdk<T>(use: (sdk: Sdk) => Promise<T>): Promise<T> {
  if (loaded !== undefined) return use(loaded);
  loading ??= import('./sdk.js').then((sdk) => (loaded = sdk));
  return loading.then(use);
}
