import type { ContentHeaders } from '../objectStore.js';

/** What HTTP says of a body, as the SDK calls it. */
interface SdkContent {
  readonly ContentType?: string | undefined;
  readonly ContentEncoding?: string | undefined;
  readonly ContentDisposition?: string | undefined;
  readonly ContentLanguage?: string | undefined;
  readonly CacheControl?: string | undefined;
}

const names = {
  type: 'ContentType',
  encoding: 'ContentEncoding',
  disposition: 'ContentDisposition',
  language: 'ContentLanguage',
  cacheControl: 'CacheControl',
} as const satisfies Record<keyof ContentHeaders, keyof SdkContent>;

const fields = Object.entries(names) as [keyof ContentHeaders, keyof SdkContent][];

export function contentInput(content: ContentHeaders = {}): SdkContent {
  return Object.fromEntries(fields.map(([ours, theirs]) => [theirs, content[ours]]));
}

export function contentOf(answer: SdkContent): ContentHeaders {
  return Object.fromEntries(
    fields.flatMap(([ours, theirs]) => {
      const value = answer[theirs];
      return value === undefined || value === '' ? [] : [[ours, value]];
    }),
  );
}
