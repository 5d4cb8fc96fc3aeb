import type * as sdk from './sdk.js';

export type Sdk = typeof sdk;

let loaded: Sdk | undefined;
let loading: Promise<Sdk> | undefined;

/** Calls `use` with the exports of `sdk.ts`: synchronously if it is loaded, otherwise once it is. */
export function withSdk<T>(use: (sdk: Sdk) => Promise<T>): Promise<T> {
  if (loaded !== undefined) return use(loaded);
  loading ??= import('./sdk.js').then((sdk) => (loaded = sdk));
  return loading.then(use);
}
