import type { StorageClass } from '@aws-sdk/client-s3';
import { decodeHeader, encodeHeader } from '../headerText.js';
import { checkDescription, hasTags } from '../description.js';
import type { ContentHeaders, ObjectDescription, Metadata, Tags } from '../objectStore.js';
import type { ResolvedOptions } from './options.js';
import type { Encryption } from './encryption.js';

/** The content headers under the SDK's names. */
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

/** The metadata, content headers and storage options of a new object. */
export function described(
  description: ObjectDescription,
  options: ResolvedOptions,
): SdkContent &
  Stored & { readonly Metadata: Record<string, string> | undefined; readonly Tagging?: string } {
  checkDescription(description);
  const { metadata, content = {}, tags, storageClass = options.storageClass } = description;
  return {
    Metadata: metadata === undefined ? undefined : mapped(metadata, encodeHeader),
    ...Object.fromEntries(
      fields.map(([ours, theirs]) => {
        const value = content[ours];
        return [theirs, value === undefined ? undefined : encodeHeader(value)];
      }),
    ),
    ...stored({ ...options, storageClass }),
    ...(hasTags(tags) && { Tagging: tagging(tags) }),
  };
}

/** The header with tags: a query string. */
function tagging(tags: Tags): string {
  return Object.entries(tags)
    .map((tag) => tag.map(encodeURIComponent).join('='))
    .join('&');
}

type Stored = Encryption & {
  readonly StorageClass: StorageClass | undefined;
  readonly ACL: ResolvedOptions['acl'];
};

/** The storage options of a written object. A copy does not inherit them from its source. */
export function stored({ encryption, storageClass, acl }: ResolvedOptions): Stored {
  // Servers other than AWS have their own classes.
  return { ...encryption, StorageClass: storageClass as StorageClass | undefined, ACL: acl };
}

export function metadataOf({
  Metadata = {},
}: {
  readonly Metadata?: Record<string, string> | undefined;
}): Metadata {
  return mapped(Metadata, decodeHeader);
}

export function contentOf(answer: SdkContent): ContentHeaders {
  return Object.fromEntries(
    fields.flatMap(([ours, theirs]) => {
      const value = answer[theirs];
      return value === undefined || value === '' ? [] : [[ours, decodeHeader(value)]];
    }),
  );
}

function mapped(metadata: Metadata, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, change(value)]));
}
