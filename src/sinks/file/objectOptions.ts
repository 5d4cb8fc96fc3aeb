import { checkOptions, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { fields, isRecord, isString, optional, type Shape } from '../../shape.js';
import { checkDescription } from '../../store/description.js';
import { encodeHeader } from '../../store/headerText.js';
import type { ObjectDescription, UploadOptions } from '../../store/objectStore.js';
import { formatUid } from '../../path/uids.js';

/**
 * What the store keeps with a published file. S3 fixes it when it creates a multipart upload, so it is fixed with a file's
 * first full part, or when a smaller file is published. Until then checkpoints carry it with the file. A job that is
 * restarted with other options applies them to new files; those that were open keep theirs.
 */
export interface ObjectOptions {
  /** User metadata. With the sink's own, at most 2 KB. Names are lower-case; `millrace-…` is reserved. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** At most 10. Names have at most 128, values at most 256 letters, digits, spaces and `+ - = . _ : / @`. */
  readonly tags?: Readonly<Record<string, string>>;
  /** `STANDARD_IA`, or another class of the server. Default: `s3.storage-class`, else the bucket's. */
  readonly storageClass?: string;
  /** `text/csv; charset=utf-8`. Default: the server's. */
  readonly contentType?: string;
  /** `gzip`, if clients must decompress. Default: none, even with `compression`: names show it. */
  readonly contentEncoding?: string;
  /** `max-age=31536000, immutable`. Default: none. */
  readonly cacheControl?: string;
}

/** The metadata with the file's uid, which proves that an object is ours. */
export const uidMetadata = 'millrace-uid';

/** How the upload of a file is created. */
export function uploadOf({
  uid,
  object,
}: {
  uid: string;
  object?: ObjectDescription | undefined;
}): UploadOptions {
  return { ...object, metadata: { ...object?.metadata, [uidMetadata]: uid } };
}

/** Returns what the option says about a partition. */
export type DescribeObjects = (partition: string) => ObjectDescription | undefined;

/** Throws `InvalidOption`; if it is a function, later, and `PromiseInFlow` if that is asynchronous. */
export function objectsOf(
  id: string,
  option: ObjectOptions | ((partition: string) => ObjectOptions) | undefined,
): DescribeObjects {
  // All properties are optional, so a promise would be an object without settings.
  if (isDeferred(option))
    throw new InvalidOption(`fileSink '${id}': object`, option, 'an object or a function');
  if (typeof option === 'function')
    return (partition) => {
      const options = option(partition);
      if (isDeferred(options)) throw deferredInFlow(`object of fileSink('${id}') returned`, options);
      return descriptionFrom(id, options);
    };
  const described = option === undefined ? undefined : descriptionFrom(id, option);
  return () => described;
}

const names: OptionNames<ObjectOptions> = {
  metadata: true,
  tags: true,
  storageClass: true,
  contentType: true,
  contentEncoding: true,
  cacheControl: true,
};

function descriptionFrom(id: string, options: ObjectOptions): ObjectDescription {
  const key = `fileSink '${id}': object`;
  required(key, options);
  checkOptions(`fileSink '${id}'`, options, names, 'object.');
  const { metadata, tags, storageClass, contentType, contentEncoding, cacheControl } = options;
  for (const [name, value] of Object.entries({ metadata, tags })) {
    if (!isOptionalTexts(value)) throw new InvalidOption(`${key}.${name}`, value, 'an object of strings');
  }
  for (const [name, value] of Object.entries({ storageClass, contentType, contentEncoding, cacheControl })) {
    if (!optional(isString)(value)) throw new InvalidOption(`${key}.${name}`, value, 'a string');
  }
  checkSize(id, metadata);
  const content = {
    ...(contentType !== undefined && { type: contentType }),
    ...(contentEncoding !== undefined && { encoding: contentEncoding }),
    ...(cacheControl !== undefined && { cacheControl }),
  };
  const description: ObjectDescription = {
    ...(metadata !== undefined && { metadata }),
    ...(Object.keys(content).length > 0 && { content }),
    ...(tags !== undefined && { tags }),
    ...(storageClass !== undefined && { storageClass }),
  };
  try {
    checkDescription(description);
  } catch (error) {
    throw new InvalidOption(key, undefined, 'what a store can keep', `${key}: ${(error as Error).message}`);
  }
  return description;
}

/** S3's limit for names and values in bytes. The name and value of the uid count as well. */
const maxMetadata = 2048;

function checkSize(id: string, metadata: ObjectOptions['metadata'] = {}): void {
  const key = `fileSink '${id}': object.metadata`;
  const reserved = Object.keys(metadata).find((name) => name === '' || name.startsWith('millrace-'));
  if (reserved !== undefined)
    throw new InvalidOption(key, reserved, "by names that are not empty and do not start with 'millrace-'");
  const uid = formatUid({ jobId: 'x'.repeat(12), sink: id, epoch: 0, counter: 0 });
  const bytes = Object.entries({ ...metadata, [uidMetadata]: uid }).reduce(
    (sum, [name, value]) => sum + name.length + encodeHeader(value).length,
    0,
  );
  if (bytes <= maxMetadata) return;
  const rule = `at most ${maxMetadata} bytes with the sink's own ${uidMetadata}`;
  throw new InvalidOption(
    key,
    bytes,
    rule,
    `${key} has ${bytes} bytes. It must be ${rule}. Remove some of it.`,
  );
}

const isTexts: Shape = (value) => isRecord(value) && Object.values(value).every(isString);
const isOptionalTexts = optional(isTexts);

/** The shape of a description in a manifest. */
export const isDescription = fields({
  metadata: isOptionalTexts,
  content: isOptionalTexts,
  tags: isOptionalTexts,
  storageClass: optional(isString),
});
